// What linear.wgsl computes, to the bit, on devices whose subgroups have 8 lanes and which load 32 bytes
// at a time: the lanes of a subgroup share the loads of x. Each takes a part of the tile's block of x and
// the others get it by broadcast: on a software adapter a load costs as much as fifty multiplications.
//
// The tile fragment has TILE_ROWS and fn multiply(row, tile, steps, lane), which fills `sums`; it takes x
// by fn load_x(octet), which the loads fragment has.

const LANES = 32u;
// Rows that are finished at a time: of tall tiles several, where the epilogue is short.
const ROUND = max(1u, min(ROUND_ROWS, TILE_ROWS / 8u));

var<private> sums: array<vec4<f32>, TILE_ROWS>;

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
  let live = min(TILE_ROWS, rows - first_row);
  // The sums move up round by round: written out for every row, what finishes one would take longer to
  // compile than all the rest.
  for (var r = 0u; r < live; r += ROUND) {
    for (var i = 0u; i < ROUND; i++) {
      if (r + i < live) {
        finish(first_row + r + i, params.first / 4u + column4, sums[i] + own_bias);
      }
    }
    for (var i = ROUND; i < TILE_ROWS; i++) {
      sums[i - ROUND] = sums[i];
    }
  }
}
