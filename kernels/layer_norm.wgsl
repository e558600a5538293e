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
override STRIDE8: u32;
override MODULATION: u32;
override EPSILON: f32;

@group(0) @binding(0) var<storage, read> x: array<StoredOctet>;
@group(0) @binding(1) var<storage, read> rows: array<Row>;
@group(0) @binding(2) var<storage, read> counts: array<u32>;
@group(0) @binding(3) var<storage, read> gain: array<StoredOctet>;
@group(0) @binding(4) var<storage, read> modulation: array<StoredOctet>;
@group(0) @binding(5) var<storage, read_write> y: array<Octet>;
@group(0) @binding(6) var<storage, read> params: Params;

// 1 in the columns from the given one on that count, 0 in the padding.
fn in_width(column: u32) -> vec4<f32> {
  return select(vec4(0.0), vec4(1.0), column + vec4(0u, 1u, 2u, 3u) < vec4(WIDTH));
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
  let at = row * STRIDE8;

  var sum = 0.0;
  for (var c = lane; c < STRIDE8; c += LANES) {
    let part = open_octet(x[at + c]);
    sum += dot(part.low, in_width(8u * c)) + dot(part.high, in_width(8u * c + 4u));
  }
  let mean = sum_over_lanes(lane, sum) / f32(WIDTH);

  var squares = 0.0;
  for (var c = lane; c < STRIDE8; c += LANES) {
    let part = open_octet(x[at + c]);
    let low = (part.low - mean) * in_width(8u * c);
    let high = (part.high - mean) * in_width(8u * c + 4u);
    squares += dot(low, low) + dot(high, high);
  }
  let factor = inverseSqrt(sum_over_lanes(lane, squares) / f32(WIDTH) + EPSILON);

  let condition = rows[source_row(row)].condition * MODULATION;
  let first_scale = (condition + params.scale) / 8u;
  let first_shift = (condition + params.shift) / 8u;
  for (var c = lane; c < STRIDE8; c += LANES) {
    let part = open_octet(x[at + c]);
    let own = open_octet(gain[c]);
    let scale = open_octet(modulation[first_scale + c]);
    let shift = open_octet(modulation[first_shift + c]);
    y[at + c] = Octet(
      (part.low - mean) * factor * (own.low * (1.0 + scale.low)) + shift.low,
      (part.high - mean) * factor * (own.high * (1.0 + scale.high)) + shift.high,
    );
  }
}
