// y = 0, vectors of 4.

struct Params {
  count: u32,
  row: u32,
}

const LANES = 64u;

@group(0) @binding(0) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> params: Params;

@compute @workgroup_size(LANES)
fn fill_zero(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = group.y * params.row + group.x * LANES + lane;
  if (at < params.count) {
    y[at] = vec4(0.0);
  }
}
