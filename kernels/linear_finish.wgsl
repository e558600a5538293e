// Fragment: from the sums of a tile of columns, the t-th of an invocation, to what becomes of its live
// rows; column4 is the lane's place in the weight's columns. The kernel has fn row_looked_up(first_row, r):
// what the epilogue must know of row first_row + r.
fn finish_tile(t: u32, first_row: u32, live: u32, column4: u32) {
  let own_bias = bias[column4];
  for (var r = 0u; r < live; r += 4u) {
    let four = four_sums(t * TILE_SUMS + r);
    for (var i = 0u; i < min(4u, live - r); i++) {
      finish(first_row + r + i, row_looked_up(first_row, r + i), params.first / 4u + column4, sum_of(four, i) + own_bias);
    }
  }
}
