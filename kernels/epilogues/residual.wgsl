// y = before + sum. Before: y itself; or, with params.gathers 1, the row of the residual that row of y,
// one of a head, stands for: from there on only the heads' rows go on.
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;
@group(2) @binding(0) var<storage, read> residual: array<vec4<f32>>;

// The row that is read.
fn look_up(row: u32) -> vec2<u32> {
  return vec2(source_row(row), 0u);
}

fn finish(row: u32, looked_up: vec2<u32>, column4: u32, sum: vec4<f32>) {
  let width4 = params.stride / 4u;
  let at = row * width4 + column4;
  if (params.gathers == 1u) {
    y[at] = residual[looked_up.x * width4 + column4] + sum;
  } else {
    y[at] += sum;
  }
}
