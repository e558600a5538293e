// A tile of 32 rows: every lane loads 8 neighbouring k of four rows.
const TILE_ROWS = 32u;

fn multiply(row: u32, tile: u32, steps: u32, lane: u32) {
  let at = (row + lane) * steps;
  for (var step = 0u; step < steps; step++) {
    let first = load_x(at + step);
    let second = load_x(at + steps * 8u + step);
    let third = load_x(at + steps * 16u + step);
    let fourth = load_x(at + steps * 24u + step);
    open_weights(tile, steps, step, lane);
    sums[0] = add(sums[0], subgroupBroadcast(first.low, 0u), subgroupBroadcast(first.high, 0u));
    sums[1] = add(sums[1], subgroupBroadcast(first.low, 1u), subgroupBroadcast(first.high, 1u));
    sums[2] = add(sums[2], subgroupBroadcast(first.low, 2u), subgroupBroadcast(first.high, 2u));
    sums[3] = add(sums[3], subgroupBroadcast(first.low, 3u), subgroupBroadcast(first.high, 3u));
    sums[4] = add(sums[4], subgroupBroadcast(first.low, 4u), subgroupBroadcast(first.high, 4u));
    sums[5] = add(sums[5], subgroupBroadcast(first.low, 5u), subgroupBroadcast(first.high, 5u));
    sums[6] = add(sums[6], subgroupBroadcast(first.low, 6u), subgroupBroadcast(first.high, 6u));
    sums[7] = add(sums[7], subgroupBroadcast(first.low, 7u), subgroupBroadcast(first.high, 7u));
    sums[8] = add(sums[8], subgroupBroadcast(second.low, 0u), subgroupBroadcast(second.high, 0u));
    sums[9] = add(sums[9], subgroupBroadcast(second.low, 1u), subgroupBroadcast(second.high, 1u));
    sums[10] = add(sums[10], subgroupBroadcast(second.low, 2u), subgroupBroadcast(second.high, 2u));
    sums[11] = add(sums[11], subgroupBroadcast(second.low, 3u), subgroupBroadcast(second.high, 3u));
    sums[12] = add(sums[12], subgroupBroadcast(second.low, 4u), subgroupBroadcast(second.high, 4u));
    sums[13] = add(sums[13], subgroupBroadcast(second.low, 5u), subgroupBroadcast(second.high, 5u));
    sums[14] = add(sums[14], subgroupBroadcast(second.low, 6u), subgroupBroadcast(second.high, 6u));
    sums[15] = add(sums[15], subgroupBroadcast(second.low, 7u), subgroupBroadcast(second.high, 7u));
    sums[16] = add(sums[16], subgroupBroadcast(third.low, 0u), subgroupBroadcast(third.high, 0u));
    sums[17] = add(sums[17], subgroupBroadcast(third.low, 1u), subgroupBroadcast(third.high, 1u));
    sums[18] = add(sums[18], subgroupBroadcast(third.low, 2u), subgroupBroadcast(third.high, 2u));
    sums[19] = add(sums[19], subgroupBroadcast(third.low, 3u), subgroupBroadcast(third.high, 3u));
    sums[20] = add(sums[20], subgroupBroadcast(third.low, 4u), subgroupBroadcast(third.high, 4u));
    sums[21] = add(sums[21], subgroupBroadcast(third.low, 5u), subgroupBroadcast(third.high, 5u));
    sums[22] = add(sums[22], subgroupBroadcast(third.low, 6u), subgroupBroadcast(third.high, 6u));
    sums[23] = add(sums[23], subgroupBroadcast(third.low, 7u), subgroupBroadcast(third.high, 7u));
    sums[24] = add(sums[24], subgroupBroadcast(fourth.low, 0u), subgroupBroadcast(fourth.high, 0u));
    sums[25] = add(sums[25], subgroupBroadcast(fourth.low, 1u), subgroupBroadcast(fourth.high, 1u));
    sums[26] = add(sums[26], subgroupBroadcast(fourth.low, 2u), subgroupBroadcast(fourth.high, 2u));
    sums[27] = add(sums[27], subgroupBroadcast(fourth.low, 3u), subgroupBroadcast(fourth.high, 3u));
    sums[28] = add(sums[28], subgroupBroadcast(fourth.low, 4u), subgroupBroadcast(fourth.high, 4u));
    sums[29] = add(sums[29], subgroupBroadcast(fourth.low, 5u), subgroupBroadcast(fourth.high, 5u));
    sums[30] = add(sums[30], subgroupBroadcast(fourth.low, 6u), subgroupBroadcast(fourth.high, 6u));
    sums[31] = add(sums[31], subgroupBroadcast(fourth.low, 7u), subgroupBroadcast(fourth.high, 7u));
  }
}
