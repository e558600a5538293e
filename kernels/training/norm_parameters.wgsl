// The way back through layer_norm.wgsl to its gain, shifts and scales. With P[κ] the sum of dh,
// Q[κ] that of dh · y over the rows of condition κ:
//   d_shift[κ] = P[κ],  d_scale[κ] = Q[κ] · gain,  d_gain += Σ over κ of Q[κ] (1 + scale[κ])
//
// shifts, scales: the segments of P and Q, [segments, 4 WIDTH4] f32, from column_sums.wgsl; segment
// s belongs to condition s % CONDITIONS. modulation and its derivative:
// [conditions, 4 MODULATION4], where `shift` and `scale` are first columns. An invocation takes 4
// columns.

struct Params {
  segments: u32,
  conditions: u32,
  shift: u32,
  scale: u32,
}

override WIDTH4: u32;
override MODULATION4: u32;
const LANES = 8u;

@group(0) @binding(0) var<storage, read> shifts: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> scales: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> gain: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> modulation: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> d_gain: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> d_modulation: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> params: Params;

@compute @workgroup_size(LANES)
fn norm_parameters(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let column4 = group.x * LANES + lane;
  if (column4 >= WIDTH4) {
    return;
  }
  var sum = d_gain[column4];
  for (var k = 0u; k < params.conditions; k++) {
    var p = vec4(0.0);
    var q = vec4(0.0);
    for (var s = k; s < params.segments; s += params.conditions) {
      p += shifts[s * WIDTH4 + column4];
      q += scales[s * WIDTH4 + column4];
    }
    let shift = k * MODULATION4 + params.shift / 4u + column4;
    let scale = k * MODULATION4 + params.scale / 4u + column4;
    d_modulation[shift] = p;
    d_modulation[scale] = q * gain[column4];
    sum += q * (1.0 + modulation[scale]);
  }
  d_gain[column4] = sum;
}
