// Embeddings stored as f16 matrices are: [tile][WIDTH / 8][32 rows] vectors of 8 along a row, in either
// order (ROW_STRIDE, LANE_STRIDE: see src/weights/tiles.ts).
@group(1) @binding(0) var<storage, read> embedding: array<vec2<u32>>;

fn embedding4(index: u32) -> vec4<f32> {
  let row = index / WIDTH4;
  let column4 = index % WIDTH4;
  let vector = row % 4u * ROW_STRIDE + row % 32u / 4u * LANE_STRIDE;
  let at = (row / 32u * (WIDTH4 / 2u) + column4 / 2u) * 32u + vector;
  let packed = embedding[at * 2u + column4 % 2u];
  return vec4(unpack2x16float(packed.x), unpack2x16float(packed.y));
}
