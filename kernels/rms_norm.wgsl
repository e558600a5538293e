// y[r, c] = gain[c] · x[r, c] / sqrt(mean over c of x[r, c]² + EPSILON)
//
// x, y: [rows, STRIDE] f32 of which the first WIDTH columns count. gain: [STRIDE] f32. x is zero beyond
// WIDTH, and so is y. One workgroup per row, whose lanes a fragment sums over.
// Source: Zhang & Sennrich 2019, "Root mean square layer normalization", eq. 4.

struct Params {
  // Which of the counts bounds the rows: 0 rows, 1 heads.
  counted: u32,
}

override WIDTH: u32;
override STRIDE8: u32;
override EPSILON: f32;

@group(0) @binding(0) var<storage, read> x: array<StoredOctet>;
@group(0) @binding(1) var<storage, read> counts: array<u32>;
@group(0) @binding(2) var<storage, read> gain: array<StoredOctet>;
@group(0) @binding(3) var<storage, read_write> y: array<Octet>;
@group(0) @binding(4) var<storage, read> params: Params;

@compute @workgroup_size(LANES)
fn rms_norm(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.x;
  if (row >= counts[params.counted]) {
    return;
  }
  let at = row * STRIDE8;

  var squares = 0.0;
  for (var c = lane; c < STRIDE8; c += LANES) {
    let part = open_octet(x[at + c]);
    squares += dot(part.low, part.low) + dot(part.high, part.high);
  }
  let scale = inverseSqrt(sum_over_lanes(lane, squares) / f32(WIDTH) + EPSILON);

  for (var c = lane; c < STRIDE8; c += LANES) {
    let part = open_octet(x[at + c]);
    let own = open_octet(gain[c]);
    y[at + c] = Octet(own.low * part.low * scale, own.high * part.high * scale);
  }
}
