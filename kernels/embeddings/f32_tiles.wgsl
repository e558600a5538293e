// Embeddings stored as f32 matrices are: [tile][WIDTH / 4][32 rows] vectors of 4 along a row, in either
// order (ROW_STRIDE, LANE_STRIDE: see src/weights/tiles.ts).
@group(1) @binding(0) var<storage, read> embedding: array<vec4<f32>>;

fn embedding4(index: u32) -> vec4<f32> {
  let row = index / WIDTH4;
  let vector = row % 4u * ROW_STRIDE + row % 32u / 4u * LANE_STRIDE;
  return embedding[(row / 32u * WIDTH4 + index % WIDTH4) * 32u + vector];
}
