// h[c] = (x[c] - mean) / sqrt(variance + EPSILON) · gain[c] · (1 + scale[c]) + shift[c]
//
// x: [rows, STRIDE] f32 of which the first WIDTH columns count; y: [rows, STRIDE] f32. gain: [STRIDE].
// modulation: [conditions, MODULATION] f32, where a row's condition picks the row and SHIFT and SCALE
// the first columns; MODULATION is 0 where one row serves all conditions. x, gain, shift and scale are
// zero beyond WIDTH, and so is y. One workgroup per row, whose
// lanes a fragment sums over; the row may be that of a head.
// Source: Ba et al. 2016, "Layer normalization"; Peebles & Xie 2023 (adaLN), as in BD3-LM's
// modulate_fused: shift and scale after the norm's own weight.

struct Params {
  shift: u32,
  scale: u32,
  // See counted.wgsl.
  counted: u32,
}

override WIDTH: u32;
override STRIDE4: u32;
override MODULATION: u32;
override EPSILON: f32;

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> rows: array<Row>;
@group(0) @binding(2) var<storage, read> counts: array<u32>;
@group(0) @binding(3) var<storage, read> gain: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> modulation: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> params: Params;

// 1 in the columns that count, 0 in the padding.
fn in_width(column4: u32) -> vec4<f32> {
  return select(vec4(0.0), vec4(1.0), column4 * 4u + vec4(0u, 1u, 2u, 3u) < vec4(WIDTH));
}

@compute @workgroup_size(LANES)
fn layer_norm(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.x;
  if (row >= live_rows()) {
    return;
  }
  let at = row * STRIDE4;

  var sum = 0.0;
  for (var c = lane; c < STRIDE4; c += LANES) {
    sum += dot(x[at + c], in_width(c));
  }
  let mean = sum_over_lanes(lane, sum) / f32(WIDTH);

  var squares = 0.0;
  for (var c = lane; c < STRIDE4; c += LANES) {
    let centred = (x[at + c] - mean) * in_width(c);
    squares += dot(centred, centred);
  }
  let scale = inverseSqrt(sum_over_lanes(lane, squares) / f32(WIDTH) + EPSILON);

  let condition = rows[source_row(row)].condition * (MODULATION / 4u);
  for (var c = lane; c < STRIDE4; c += LANES) {
    let modulated = gain[c] * (1.0 + modulation[condition + params.scale / 4u + c]);
    y[at + c] =
      (x[at + c] - mean) * scale * modulated + modulation[condition + params.shift / 4u + c];
  }
}
