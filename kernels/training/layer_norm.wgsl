// h[r, c] = (x[s, c] - mean) / sqrt(variance + EPSILON) · gain[c] · (1 + scale[c]) + shift[c]
//
// x: [rows, 4 WIDTH4] f32. Row r stands for row s of the pass: s = r, or the table of rows says so.
// gain: [4 WIDTH4]. modulation: [conditions, 4 MODULATION4], where `shift` and `scale` are first
// columns. statistics: [rows] of (mean, 1 / deviation), for the way back. One workgroup per row,
// whose lanes a fragment sums over.
// Source: Ba et al. 2016, "Layer normalization"; Peebles & Xie 2023 (adaLN).

struct Params {
  shift: u32,
  scale: u32,
  length: u32,
  sequences: u32,
  is_shared: u32,
  // 1 takes rows from the table.
  gathers: u32,
}

override WIDTH4: u32;
override MODULATION4: u32;
override EPSILON: f32;

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> rows: array<u32>;
@group(0) @binding(2) var<storage, read> gain: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> modulation: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> h: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> statistics: array<vec2<f32>>;
@group(0) @binding(6) var<storage, read> params: Params;

@compute @workgroup_size(LANES)
fn layer_norm(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  var row = group.x;
  if (params.gathers == 1u) {
    row = rows[row];
  }
  let at = row * WIDTH4;
  var sum = 0.0;
  for (var c = lane; c < WIDTH4; c += LANES) {
    sum += dot(x[at + c], vec4(1.0));
  }
  let mean = sum_over_lanes(lane, sum) / f32(4u * WIDTH4);
  var squares = 0.0;
  for (var c = lane; c < WIDTH4; c += LANES) {
    let centred = x[at + c] - mean;
    squares += dot(centred, centred);
  }
  let inverse = inverseSqrt(sum_over_lanes(lane, squares) / f32(4u * WIDTH4) + EPSILON);
  if (lane == 0u) {
    statistics[group.x] = vec2(mean, inverse);
  }
  let own = condition_of(row) * MODULATION4;
  for (var c = lane; c < WIDTH4; c += LANES) {
    let factor = gain[c] * (1.0 + modulation[own + params.scale / 4u + c]);
    h[group.x * WIDTH4 + c] =
      (x[at + c] - mean) * inverse * factor + modulation[own + params.shift / 4u + c];
  }
}
