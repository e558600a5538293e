// Fragment: which rows a kernel goes over: with params.counted 0 every row of the pass, in order, with
// 1 only those that the head runs for. One kernel serves both, since compiling takes long.
@group(3) @binding(0) var<storage, read> heads: array<Head>;

fn live_rows() -> u32 {
  return counts[params.counted];
}

// The row of the pass that row `row` of the operands stands for.
fn source_row(row: u32) -> u32 {
  if (params.counted == 0u) {
    return row;
  }
  return heads[row].row;
}
