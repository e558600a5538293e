// y[i] = factor · y[i] + x[i] + OFFSET for i < length
//
// x, y: [length] f32. For tests: what comes out tells the order of dispatches and their parameters.

struct Params {
  length: u32,
  factor: f32,
}

override OFFSET: f32;
const LANES = 64u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read> params: Params;

@compute @workgroup_size(LANES)
fn affine(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x < params.length) {
    y[id.x] = params.factor * y[id.x] + x[id.x] + OFFSET;
  }
}
