// y = before + gate · sum, where the row's condition picks the row of the modulation and params.gate the
// column. Before: y itself; or, with params.gathers 1, the row of the residual that row of y, one of a
// head, stands for: from there on only the heads' rows go on.
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;
@group(2) @binding(0) var<storage, read> rows: array<Row>;
@group(2) @binding(1) var<storage, read> modulation: array<vec4<f32>>;
@group(2) @binding(2) var<storage, read> residual: array<vec4<f32>>;

// The row that is read, and the condition that picks its gate.
fn look_up(row: u32) -> vec2<u32> {
  let from_row = source_row(row);
  return vec2(from_row, rows[from_row].condition);
}

fn finish(row: u32, looked_up: vec2<u32>, column4: u32, sum: vec4<f32>) {
  let width4 = params.stride / 4u;
  let gates = (looked_up.y * params.modulation + params.gate) / 4u;
  let gated = modulation[gates + column4] * sum;
  let at = row * width4 + column4;
  if (params.gathers == 1u) {
    y[at] = residual[looked_up.x * width4 + column4] + gated;
  } else {
    y[at] += gated;
  }
}
