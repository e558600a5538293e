// y[r, n] = epilogue( Σ over k of x[r, k] · W[n, k] + bias[n] )
//
// x: [rows, K] f32. W: [N, K] in tiles of 32 columns (src/weights/formats.ts), opened by a weights
// fragment. K and N are multiples of 32. Where the result goes is the epilogue fragment's affair:
// fn finish(row, column4, sum) takes 4 neighbouring columns.
//
// One invocation sums TILE_ROWS rows of 4 columns in each of three tiles, in registers, over all of K in
// one order, so that a row's value depends neither on the tile's height nor on the rows beside it.
// 8 lanes share a tile of 32 columns: together they read full lines of W. Tiles of rows come first in
// the grid, so that those beyond the live rows, which return at once, spread evenly. The tile fragment
// has TILE_ROWS and fn multiply(row, tiles, steps, lane), which fills `sums`.

const LANES = 8u;
const TILES = 3u;

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
  let tiles = min(first_tile + vec3(0u, 1u, 2u), vec3(params.tiles - 1u));
  multiply(params.skip + first_row, tiles, params.k / 8u, lane);
  let column4 = tiles * 8u + lane;
  let bias_0 = bias[column4.x];
  let bias_1 = bias[column4.y];
  let bias_2 = bias[column4.z];
  let first = params.first / 4u;
  let live = min(TILE_ROWS, rows - first_row);
  for (var r = 0u; r < live; r++) {
    finish(first_row + r, first + column4.x, sum_of(r, 0u) + bias_0);
    if (tiles.y > tiles.x) {
      finish(first_row + r, first + column4.y, sum_of(r, TILE_ROWS) + bias_1);
    }
    if (tiles.z > tiles.y) {
      finish(first_row + r, first + column4.z, sum_of(r, 2u * TILE_ROWS) + bias_2);
    }
  }
}

// The sums of row r of the tile whose first row's are at `at`; see tile_sums.wgsl.
fn sum_of(r: u32, at: u32) -> vec4<f32> {
  return pick_of_8(
    r,
    sums[at],
    sums[at + 1u % TILE_ROWS],
    sums[at + 2u % TILE_ROWS],
    sums[at + 3u % TILE_ROWS],
    sums[at + 4u % TILE_ROWS],
    sums[at + 5u % TILE_ROWS],
    sums[at + 6u % TILE_ROWS],
    sums[at + 7u % TILE_ROWS],
  );
}
