// y = y + gate · sum, where the row's condition picks the row of the modulation and GATE the column.
override MODULATION: u32;
override GATE: u32;

@group(2) @binding(0) var<storage, read> rows: array<Row>;
@group(2) @binding(1) var<storage, read> modulation: array<f32>;

fn epilogue(row: u32, column: u32, at: u32, sum: f32) -> f32 {
  return y[at] + modulation[rows[row].condition * MODULATION + GATE + column] * sum;
}
