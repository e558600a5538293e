// A tile of 8 rows: every lane loads 8 neighbouring k of one row.
const TILE_ROWS = 8u;

fn multiply(row: u32, tile: u32, steps: u32, lane: u32) {
  let at = (row + lane) * steps * 2u;
  for (var step = 0u; step < steps; step++) {
    let low = x[at + step * 2u];
    let high = x[at + step * 2u + 1u];
    open_weights(tile, steps, step, lane);
    sums[0] = add(sums[0], subgroupBroadcast(low, 0u), subgroupBroadcast(high, 0u));
    sums[1] = add(sums[1], subgroupBroadcast(low, 1u), subgroupBroadcast(high, 1u));
    sums[2] = add(sums[2], subgroupBroadcast(low, 2u), subgroupBroadcast(high, 2u));
    sums[3] = add(sums[3], subgroupBroadcast(low, 3u), subgroupBroadcast(high, 3u));
    sums[4] = add(sums[4], subgroupBroadcast(low, 4u), subgroupBroadcast(high, 4u));
    sums[5] = add(sums[5], subgroupBroadcast(low, 5u), subgroupBroadcast(high, 5u));
    sums[6] = add(sums[6], subgroupBroadcast(low, 6u), subgroupBroadcast(high, 6u));
    sums[7] = add(sums[7], subgroupBroadcast(low, 7u), subgroupBroadcast(high, 7u));
  }
}
