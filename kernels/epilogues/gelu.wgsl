// y = gelu(sum), tanh form: 0.5 z (1 + tanh(√(2/π) (z + 0.044715 z³))).
// Source: Hendrycks & Gimpel 2016, "Gaussian error linear units", as torch's approximate="tanh".
fn epilogue(row: u32, column: u32, at: u32, sum: f32) -> f32 {
  let inner = 0.7978845608028654 * (sum + 0.044715 * sum * sum * sum);
  // Some drivers compute tanh from exp and overflow; tanh(±15) is ±1 in f32.
  return 0.5 * sum * (1.0 + tanh(clamp(inner, -15.0, 15.0)));
}
