// A tile of 16 rows: every lane loads 8 neighbouring k of two rows.
const TILE_ROWS = 16u;

fn multiply(row: u32, tile: u32, steps: u32, lane: u32) {
  let at = (row + lane) * steps * 2u;
  let at_8 = at + steps * 16u;
  for (var step = 0u; step < steps; step++) {
    let low = x[at + step * 2u];
    let high = x[at + step * 2u + 1u];
    let low_8 = x[at_8 + step * 2u];
    let high_8 = x[at_8 + step * 2u + 1u];
    open_weights(tile, steps, step, lane);
    sums[0] = add(sums[0], subgroupBroadcast(low, 0u), subgroupBroadcast(high, 0u));
    sums[1] = add(sums[1], subgroupBroadcast(low, 1u), subgroupBroadcast(high, 1u));
    sums[2] = add(sums[2], subgroupBroadcast(low, 2u), subgroupBroadcast(high, 2u));
    sums[3] = add(sums[3], subgroupBroadcast(low, 3u), subgroupBroadcast(high, 3u));
    sums[4] = add(sums[4], subgroupBroadcast(low, 4u), subgroupBroadcast(high, 4u));
    sums[5] = add(sums[5], subgroupBroadcast(low, 5u), subgroupBroadcast(high, 5u));
    sums[6] = add(sums[6], subgroupBroadcast(low, 6u), subgroupBroadcast(high, 6u));
    sums[7] = add(sums[7], subgroupBroadcast(low, 7u), subgroupBroadcast(high, 7u));
    sums[8] = add(sums[8], subgroupBroadcast(low_8, 0u), subgroupBroadcast(high_8, 0u));
    sums[9] = add(sums[9], subgroupBroadcast(low_8, 1u), subgroupBroadcast(high_8, 1u));
    sums[10] = add(sums[10], subgroupBroadcast(low_8, 2u), subgroupBroadcast(high_8, 2u));
    sums[11] = add(sums[11], subgroupBroadcast(low_8, 3u), subgroupBroadcast(high_8, 3u));
    sums[12] = add(sums[12], subgroupBroadcast(low_8, 4u), subgroupBroadcast(high_8, 4u));
    sums[13] = add(sums[13], subgroupBroadcast(low_8, 5u), subgroupBroadcast(high_8, 5u));
    sums[14] = add(sums[14], subgroupBroadcast(low_8, 6u), subgroupBroadcast(high_8, 6u));
    sums[15] = add(sums[15], subgroupBroadcast(low_8, 7u), subgroupBroadcast(high_8, 7u));
  }
}
