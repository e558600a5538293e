// Embeddings stored as f32 matrices are: [tile][WIDTH / 4][4][8 lanes] vectors of 4 along a row.
@group(1) @binding(0) var<storage, read> embedding: array<vec4<f32>>;

fn embedding4(index: u32) -> vec4<f32> {
  let row = index / WIDTH4;
  let vector = row % 4u * 8u + row % 32u / 4u;
  return embedding[(row / 32u * WIDTH4 + index % WIDTH4) * 32u + vector];
}
