// A tile of 16 rows: every lane loads 8 neighbouring k of two rows.
const TILE_ROWS = 16u;

fn multiply(row: u32, tile: u32, steps: u32, lane: u32) {
  let at = (row + lane) * steps;
  for (var step = 0u; step < steps; step++) {
    let upper = load_x(at + step);
    let lower = load_x(at + steps * 8u + step);
    open_weights(tile, steps, step, lane);
    sums[0] = add(sums[0], subgroupBroadcast(upper.low, 0u), subgroupBroadcast(upper.high, 0u));
    sums[1] = add(sums[1], subgroupBroadcast(upper.low, 1u), subgroupBroadcast(upper.high, 1u));
    sums[2] = add(sums[2], subgroupBroadcast(upper.low, 2u), subgroupBroadcast(upper.high, 2u));
    sums[3] = add(sums[3], subgroupBroadcast(upper.low, 3u), subgroupBroadcast(upper.high, 3u));
    sums[4] = add(sums[4], subgroupBroadcast(upper.low, 4u), subgroupBroadcast(upper.high, 4u));
    sums[5] = add(sums[5], subgroupBroadcast(upper.low, 5u), subgroupBroadcast(upper.high, 5u));
    sums[6] = add(sums[6], subgroupBroadcast(upper.low, 6u), subgroupBroadcast(upper.high, 6u));
    sums[7] = add(sums[7], subgroupBroadcast(upper.low, 7u), subgroupBroadcast(upper.high, 7u));
    sums[8] = add(sums[8], subgroupBroadcast(lower.low, 0u), subgroupBroadcast(lower.high, 0u));
    sums[9] = add(sums[9], subgroupBroadcast(lower.low, 1u), subgroupBroadcast(lower.high, 1u));
    sums[10] = add(sums[10], subgroupBroadcast(lower.low, 2u), subgroupBroadcast(lower.high, 2u));
    sums[11] = add(sums[11], subgroupBroadcast(lower.low, 3u), subgroupBroadcast(lower.high, 3u));
    sums[12] = add(sums[12], subgroupBroadcast(lower.low, 4u), subgroupBroadcast(lower.high, 4u));
    sums[13] = add(sums[13], subgroupBroadcast(lower.low, 5u), subgroupBroadcast(lower.high, 5u));
    sums[14] = add(sums[14], subgroupBroadcast(lower.low, 6u), subgroupBroadcast(lower.high, 6u));
    sums[15] = add(sums[15], subgroupBroadcast(lower.low, 7u), subgroupBroadcast(lower.high, 7u));
  }
}
