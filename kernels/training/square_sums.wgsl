// partial[FIRST + g] = Σ of x² over the share of workgroup g; the last share may be short.
//
// x: [count vectors of 4] f32; a workgroup takes SHARE of them.

struct Params {
  count: u32,
  share: u32,
  first: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> partial_sums: array<f32>;
@group(0) @binding(2) var<storage, read> params: Params;

@compute @workgroup_size(LANES)
fn square_sums(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = group.x * params.share;
  let end = min(params.count, first + params.share);
  var sum = 0.0;
  for (var i = first + lane; i < end; i += LANES) {
    sum += dot(x[i], x[i]);
  }
  sum = sum_over_lanes(lane, sum);
  if (lane == 0u) {
    partial_sums[params.first + group.x] = sum;
  }
}
