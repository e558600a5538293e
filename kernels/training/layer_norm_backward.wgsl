// The way back through layer_norm.wgsl to x, added to what dx holds. With y the normalised row and
// dy = dh · gain · (1 + scale):
//   dx[s, c] += (dy[c] − mean(dy) − y[c] mean(dy · y)) / deviation
//
// Shapes, rows and the split of work are those of layer_norm.wgsl; dx: [rows of the pass, 4 WIDTH4]
// f32.

struct Params {
  scale: u32,
  length: u32,
  sequences: u32,
  is_shared: u32,
  gathers: u32,
}

override WIDTH4: u32;
override MODULATION4: u32;

@group(0) @binding(0) var<storage, read> dh: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> rows: array<u32>;
@group(0) @binding(3) var<storage, read> gain: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> modulation: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> statistics: array<vec2<f32>>;
@group(0) @binding(6) var<storage, read_write> dx: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read> params: Params;

@compute @workgroup_size(LANES)
fn layer_norm_backward(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  var row = group.x;
  if (params.gathers == 1u) {
    row = rows[row];
  }
  let at = row * WIDTH4;
  let own = group.x * WIDTH4;
  let scale = condition_of(row) * MODULATION4 + params.scale / 4u;
  let mean = statistics[group.x].x;
  let inverse = statistics[group.x].y;
  var sum = 0.0;
  var product = 0.0;
  for (var c = lane; c < WIDTH4; c += LANES) {
    let dy = dh[own + c] * gain[c] * (1.0 + modulation[scale + c]);
    sum += dot(dy, vec4(1.0));
    product += dot(dy, (x[at + c] - mean) * inverse);
  }
  let mean_dy = sum_over_lanes(lane, sum) / f32(4u * WIDTH4);
  let mean_product = sum_over_lanes(lane, product) / f32(4u * WIDTH4);
  for (var c = lane; c < WIDTH4; c += LANES) {
    let dy = dh[own + c] * gain[c] * (1.0 + modulation[scale + c]);
    let y = (x[at + c] - mean) * inverse;
    dx[at + c] += (dy - mean_dy - y * mean_product) * inverse;
  }
}
