// 16 bytes at a time, from tiles in either order (ROW_STRIDE, LANE_STRIDE: see src/weights/tiles.ts).
@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(1) @binding(0) var<storage, read> weight: array<vec4<u32>>;

fn load_columns(vectors: u32, lane: u32) -> Columns {
  let at = vectors * 32u + lane * LANE_STRIDE;
  return Columns(
    weight[at],
    weight[at + ROW_STRIDE],
    weight[at + 2u * ROW_STRIDE],
    weight[at + 3u * ROW_STRIDE],
  );
}
