// y[r, n] = epilogue( Σ over k of x[r, k] · W[n, k] + bias[n] )
//
// x: [rows, K] f32. W: [N, K] in tiles of 32 columns (src/weights/formats.ts), opened by a weights
// fragment. K and N are multiples of 32. Where the result goes is the epilogue fragment's affair:
// fn finish(row, looked_up, column4, sum) takes 4 neighbouring columns.
//
// One invocation sums TILE_ROWS rows of 4 columns in each of three tiles, in registers, over all of K in
// one order, so that a row's value depends neither on the tile's height nor on the rows beside it.
// 8 lanes share a tile of 32 columns: together they read full lines of W. Tiles of rows come first in
// the grid, so that those beyond the live rows, which return at once, spread evenly. The tile fragment
// has TILE_ROWS and fn multiply(row, tiles, steps, lane), which fills the sums of tile_sums.wgsl.

const LANES = 8u;
const TILES = 3u;

fn row_looked_up(first_row: u32, r: u32) -> vec2<u32> {
  return look_up(first_row + r);
}

@compute @workgroup_size(LANES)
fn linear(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let first_row = group.x * TILE_ROWS;
  let rows = rows_left();
  if (first_row >= rows) {
    return;
  }
  let first_tile = group.y * TILES;
  // Beyond the last tile it is summed again and not written.
  let tiles = min(first_tile + vec3(0u, 1u, 2u), vec3(params.tiles - 1u));
  multiply(params.skip + first_row, tiles, params.k / 8u, lane);
  let live = min(TILE_ROWS, rows - first_row);
  for (var t = 0u; t < min(TILES, params.tiles - first_tile); t++) {
    finish_tile(t, first_row, live, (first_tile + t) * 8u + lane);
  }
}
