// y[r, c] = x[r, c] + gate[c] · dropout(update[r, c]); or, on the way back, for dx = dy:
// d_update[r, c] = gate[c] · dropout(dy[r, c])
//
// x, update, y: [rows, 4 WIDTH4] f32. The gate: columns of modulation [conditions, 4 MODULATION4]
// from GATE on. An invocation takes 4 columns. On the way back `update` is bound to dy, and x is
// not read.
// Source: Peebles & Xie 2023; `bias_dropout_add_scale` of the official BD3-LM code.

struct Params {
  gate: u32,
  length: u32,
  sequences: u32,
  is_shared: u32,
  is_backward: u32,
  threshold: u32,
  keep_scale: f32,
  seed_low: u32,
  seed_high: u32,
  step: u32,
  site: u32,
}

override WIDTH4: u32;
override MODULATION4: u32;
const LANES = 64u;

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> update: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> modulation: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> params: Params;

@compute @workgroup_size(LANES)
fn gated_residual(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let column4 = group.x * LANES + lane;
  if (column4 >= WIDTH4) {
    return;
  }
  let at = group.y * WIDTH4 + column4;
  let gate = modulation[condition_of(group.y) * MODULATION4 + params.gate / 4u + column4];
  let added = gate * kept(at) * update[at];
  if (params.is_backward == 1u) {
    y[at] = added;
  } else {
    y[at] = x[at] + added;
  }
}
