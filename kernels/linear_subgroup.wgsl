// What linear.wgsl computes, to the bit, on devices whose subgroups have 8 lanes and which load 32 bytes
// at a time: the lanes of a subgroup share the loads of x. Each takes a part of the tile's block of x and
// the others get it by broadcast: on a software adapter a load costs as much as fifty multiplications.
//
// The tile fragment has TILE_ROWS, TILES and fn multiply(row, tiles, steps, lane), which fills the sums of
// tile_sums.wgsl; it takes x by fn load_x(octet), which the loads fragment has. A lane has 4 columns in
// each of TILES tiles, one or two: what is loaded of x, and broadcast, serves both.

// 128 columns.
const LANES = 32u / TILES;

// Adds the products of one step of row i in two tiles.
fn add_row(i: u32, low: vec4<f32>, high: vec4<f32>, first: Weights, second: Weights) {
  sums[i] = add(sums[i], low, high, first);
  sums[TILE_SUMS + i] = add(sums[TILE_SUMS + i], low, high, second);
}

// Of the tile's rows, 8 at a time: a lane looks one up, and the others get it by broadcast.
var<private> looked_up_above: vec2<u32>;
var<private> looked_up_below: vec2<u32>;

fn look_up_rows(first_row: u32, live: u32, lane: u32) {
  looked_up_above = look_up(first_row + min(lane, live - 1u));
  if (TILE_ROWS > 8u) {
    looked_up_below = look_up(first_row + min(lane + 8u, live - 1u));
  }
}

fn row_looked_up(_first_row: u32, r: u32) -> vec2<u32> {
  if (TILE_ROWS == 1u) {
    return looked_up_above;
  }
  return from_lane(select(looked_up_above, looked_up_below, r >= 8u), r % 8u);
}

@compute @workgroup_size(LANES)
fn linear_subgroup(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let first_row = group.x * TILE_ROWS;
  let rows = rows_left();
  let first_tile = (group.y * (LANES / 8u) + index / 8u) * TILES;
  // The same for a whole subgroup: no lane of it may be missing from a broadcast.
  if (first_row >= rows || first_tile >= params.tiles) {
    return;
  }
  let lane = index % 8u;
  // Beyond the last tile it is summed again and not written.
  let tiles = min(vec2(first_tile, first_tile + TILES - 1u), vec2(params.tiles - 1u));
  multiply(params.skip + first_row, tiles, params.k / 8u, lane);
  let live = min(TILE_ROWS, rows - first_row);
  look_up_rows(first_row, live, lane);
  for (var t = 0u; t < min(TILES, params.tiles - first_tile); t++) {
    finish_tile(t, first_row, live, (first_tile + t) * 8u + lane);
  }
}
