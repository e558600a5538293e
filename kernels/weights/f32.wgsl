// Weights stored as f32: [panel][k / 4][8 columns] vectors of 4 along k.
@group(1) @binding(0) var<storage, read> weight: array<vec4<f32>>;

fn weight8(step: u32, column: u32) -> Weight8 {
  return Weight8(weight[step * 16u + column], weight[step * 16u + 8u + column]);
}
