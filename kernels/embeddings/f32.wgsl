// Embeddings stored as f32, row-major.
@group(1) @binding(0) var<storage, read> embedding: array<vec4<f32>>;

fn embedding4(index: u32) -> vec4<f32> {
  return embedding[index];
}
