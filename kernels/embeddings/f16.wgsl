// Embeddings stored as f16, row-major, two to a word.
@group(1) @binding(0) var<storage, read> embedding: array<vec2<u32>>;

fn embedding4(index: u32) -> vec4<f32> {
  let packed = embedding[index];
  return vec4(unpack2x16float(packed.x), unpack2x16float(packed.y));
}
