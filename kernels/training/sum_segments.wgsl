// y[κ · STRIDE + FIRST + c] (+)= Σ over segments s of condition κ of partial[s, c]
//
// partial: [segments, 4 WIDTH4] f32, from column_sums.wgsl. Segment s belongs to condition s %
// CONDITIONS. STRIDE and FIRST count columns. An invocation takes 4 columns of a condition.

struct Params {
  segments: u32,
  conditions: u32,
  stride: u32,
  first: u32,
  accumulates: u32,
}

override WIDTH4: u32;
const LANES = 8u;

@group(0) @binding(0) var<storage, read> partial: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> params: Params;

@compute @workgroup_size(LANES)
fn sum_segments(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let column4 = group.x * LANES + lane;
  if (column4 >= WIDTH4) {
    return;
  }
  let at = (group.y * params.stride + params.first) / 4u + column4;
  var sum = vec4(0.0);
  if (params.accumulates == 1u) {
    sum = y[at];
  }
  for (var s = group.y; s < params.segments; s += params.conditions) {
    sum += partial[s * WIDTH4 + column4];
  }
  y[at] = sum;
}
