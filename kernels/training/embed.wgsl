// x[r, :] = table[tokens[r], :]
//
// table: [vocabulary, 4 WIDTH4] f32. An invocation takes 4 columns.

override WIDTH4: u32;
const LANES = 64u;

@group(0) @binding(0) var<storage, read> tokens: array<u32>;
@group(0) @binding(1) var<storage, read> table: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> x: array<vec4<f32>>;

@compute @workgroup_size(LANES)
fn embed(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let column4 = group.x * LANES + lane;
  if (column4 < WIDTH4) {
    x[group.y * WIDTH4 + column4] = table[tokens[group.y] * WIDTH4 + column4];
  }
}
