// y = f(sum), where params.activation names f: one kernel serves all, since compiling takes long.
const ROUND_ROWS = 4u;
const GELU = 1u;
const SILU = 2u;

@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;

// 0.5 z (1 + tanh(√(2/π) (z + 0.044715 z³))).
// Source: Hendrycks & Gimpel 2016, "Gaussian error linear units", as torch's approximate="tanh".
fn gelu(z: vec4<f32>) -> vec4<f32> {
  let inner = 0.7978845608028654 * (z + 0.044715 * z * z * z);
  // Some drivers compute tanh from exp and overflow; tanh(±15) is ±1 in f32.
  return 0.5 * z * (1.0 + tanh(clamp(inner, vec4(-15.0), vec4(15.0))));
}

fn finish(row: u32, column4: u32, sum: vec4<f32>) {
  var result = sum;
  if (params.activation == GELU) {
    result = gelu(sum);
  }
  if (params.activation == SILU) {
    // sum · sigmoid(sum)
    result = sum / (1.0 + exp(-sum));
  }
  y[row * (params.stride / 4u) + column4] = result;
}
