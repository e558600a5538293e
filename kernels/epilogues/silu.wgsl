// y = sum · sigmoid(sum)
fn epilogue(row: u32, column: u32, at: u32, sum: f32) -> f32 {
  return sum / (1.0 + exp(-sum));
}
