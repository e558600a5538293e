// A tile of 4 rows: every lane loads 8 of 16 neighbouring k of one row, twice.
const TILE_ROWS = 4u;

fn multiply(row: u32, tile: u32, steps: u32, lane: u32) {
  let at = (row + lane % 4u) * steps * 2u + lane / 4u * 2u;
  for (var step = 0u; step < steps; step += 4u) {
    let low = x[at + step * 2u];
    let high = x[at + step * 2u + 1u];
    let low_2 = x[at + step * 2u + 4u];
    let high_2 = x[at + step * 2u + 5u];
    open_block(tile, steps, step, lane);
    open_next();
    sums[0] = add(sums[0], subgroupBroadcast(low, 0u), subgroupBroadcast(high, 0u));
    sums[1] = add(sums[1], subgroupBroadcast(low, 1u), subgroupBroadcast(high, 1u));
    sums[2] = add(sums[2], subgroupBroadcast(low, 2u), subgroupBroadcast(high, 2u));
    sums[3] = add(sums[3], subgroupBroadcast(low, 3u), subgroupBroadcast(high, 3u));
    open_next();
    sums[0] = add(sums[0], subgroupBroadcast(low, 4u), subgroupBroadcast(high, 4u));
    sums[1] = add(sums[1], subgroupBroadcast(low, 5u), subgroupBroadcast(high, 5u));
    sums[2] = add(sums[2], subgroupBroadcast(low, 6u), subgroupBroadcast(high, 6u));
    sums[3] = add(sums[3], subgroupBroadcast(low, 7u), subgroupBroadcast(high, 7u));
    open_next();
    sums[0] = add(sums[0], subgroupBroadcast(low_2, 0u), subgroupBroadcast(high_2, 0u));
    sums[1] = add(sums[1], subgroupBroadcast(low_2, 1u), subgroupBroadcast(high_2, 1u));
    sums[2] = add(sums[2], subgroupBroadcast(low_2, 2u), subgroupBroadcast(high_2, 2u));
    sums[3] = add(sums[3], subgroupBroadcast(low_2, 3u), subgroupBroadcast(high_2, 3u));
    open_next();
    sums[0] = add(sums[0], subgroupBroadcast(low_2, 4u), subgroupBroadcast(high_2, 4u));
    sums[1] = add(sums[1], subgroupBroadcast(low_2, 5u), subgroupBroadcast(high_2, 5u));
    sums[2] = add(sums[2], subgroupBroadcast(low_2, 6u), subgroupBroadcast(high_2, 6u));
    sums[3] = add(sums[3], subgroupBroadcast(low_2, 7u), subgroupBroadcast(high_2, 7u));
  }
}
