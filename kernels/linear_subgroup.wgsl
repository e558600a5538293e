// What linear.wgsl computes, to the bit, on devices whose subgroups have 8 lanes and which load 32 bytes
// at a time: the lanes of a subgroup share the loads of x. Each takes a part of the tile's block of x and
// the others get it by broadcast: on a software adapter a load costs as much as fifty multiplications.
//
// The tile fragment has TILE_ROWS and fn multiply(row, tile, steps, lane), which fills the sums of
// tile_sums.wgsl; it takes x by fn load_x(octet), which the loads fragment has.

const LANES = 32u;

@compute @workgroup_size(LANES)
fn linear_subgroup(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let first_row = group.x * TILE_ROWS;
  let rows = rows_left();
  let tile = group.y * (LANES / 8u) + index / 8u;
  // The same for a whole subgroup: no lane of it may be missing from a broadcast.
  if (first_row >= rows || tile >= params.tiles) {
    return;
  }
  let lane = index % 8u;
  multiply(params.skip + first_row, tile, params.k / 8u, lane);
  let column4 = tile * 8u + lane;
  let own_bias = bias[column4];
  let first = params.first / 4u;
  let live = min(TILE_ROWS, rows - first_row);
  for (var r = 0u; r < live; r += 4u) {
    let four = four_sums(r / 4u);
    for (var i = 0u; i < min(4u, live - r); i++) {
      finish(first_row + r + i, first + column4, sum_of(four, i) + own_bias);
    }
  }
}
