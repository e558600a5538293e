// Weights stored as f16: [panel][k / 8][8 columns] vectors of 8 along k, two to a word.
@group(1) @binding(0) var<storage, read> weight: array<vec4<u32>>;

fn weight8(step: u32, column: u32) -> Weight8 {
  let packed = weight[step * 8u + column];
  return Weight8(
    vec4(unpack2x16float(packed.x), unpack2x16float(packed.y)),
    vec4(unpack2x16float(packed.z), unpack2x16float(packed.w)),
  );
}
