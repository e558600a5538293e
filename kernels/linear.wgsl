// y[r, n] = epilogue( Σ over k of x[r, k] · W[n, k] + bias[n] )
//
// x: [rows, K] f32. W: [N, K] in tiles of 32 columns (src/weights/formats.ts), opened by a weights
// fragment. K and N are multiples of 32. Where the result goes is the epilogue fragment's affair:
// fn finish(row, column4, sum) takes 4 neighbouring columns.
//
// One invocation sums TILE_ROWS rows of 4 columns in each of two tiles, in registers, over all of K in
// one order, so that a row's value depends neither on the tile's height nor on the rows beside it.
// 8 lanes share a tile of 32 columns: together they read full lines of W. Tiles of rows come first in
// the grid, so that those beyond the live rows, which return at once, spread evenly. The tile fragment
// has TILE_ROWS and fn multiply(row, tile, other, steps, lane), which fills `sums`.

const LANES = 8u;
const TILES = 2u;

var<private> sums: array<vec4<f32>, TILES * TILE_ROWS>;

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
  let other = min(first_tile + 1u, params.tiles - 1u);
  multiply(params.skip + first_row, first_tile, other, params.k / 8u, lane);
  let column4 = first_tile * 8u + lane;
  let has_other = first_tile + 1u < params.tiles;
  let own_bias = bias[column4];
  let other_bias = bias[other * 8u + lane];
  let live = min(TILE_ROWS, rows - first_row);
  // The sums move up one by one: see linear_subgroup.wgsl.
  for (var r = 0u; r < live; r++) {
    finish(first_row + r, params.first / 4u + column4, sums[0] + own_bias);
    if (has_other) {
      finish(first_row + r, params.first / 4u + column4 + 8u, sums[TILE_ROWS] + other_bias);
    }
    for (var i = 1u; i < TILES * TILE_ROWS; i++) {
      sums[i - 1u] = sums[i];
    }
  }
}
