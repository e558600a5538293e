// A tile of 4 rows: every lane loads 8 of 16 neighbouring k of one row, twice.
const TILE_ROWS = 4u;

fn multiply(row: u32, tile: u32, steps: u32, lane: u32) {
  let at = (row + lane % 4u) * steps + lane / 4u;
  for (var step = 0u; step < steps; step += 4u) {
    let first = load_x(at + step);
    let second = load_x(at + step + 2u);
    open_block(tile, steps, step, lane);
    open_next();
    sums[0] = add(sums[0], subgroupBroadcast(first.low, 0u), subgroupBroadcast(first.high, 0u));
    sums[1] = add(sums[1], subgroupBroadcast(first.low, 1u), subgroupBroadcast(first.high, 1u));
    sums[2] = add(sums[2], subgroupBroadcast(first.low, 2u), subgroupBroadcast(first.high, 2u));
    sums[3] = add(sums[3], subgroupBroadcast(first.low, 3u), subgroupBroadcast(first.high, 3u));
    open_next();
    sums[0] = add(sums[0], subgroupBroadcast(first.low, 4u), subgroupBroadcast(first.high, 4u));
    sums[1] = add(sums[1], subgroupBroadcast(first.low, 5u), subgroupBroadcast(first.high, 5u));
    sums[2] = add(sums[2], subgroupBroadcast(first.low, 6u), subgroupBroadcast(first.high, 6u));
    sums[3] = add(sums[3], subgroupBroadcast(first.low, 7u), subgroupBroadcast(first.high, 7u));
    open_next();
    sums[0] = add(sums[0], subgroupBroadcast(second.low, 0u), subgroupBroadcast(second.high, 0u));
    sums[1] = add(sums[1], subgroupBroadcast(second.low, 1u), subgroupBroadcast(second.high, 1u));
    sums[2] = add(sums[2], subgroupBroadcast(second.low, 2u), subgroupBroadcast(second.high, 2u));
    sums[3] = add(sums[3], subgroupBroadcast(second.low, 3u), subgroupBroadcast(second.high, 3u));
    open_next();
    sums[0] = add(sums[0], subgroupBroadcast(second.low, 4u), subgroupBroadcast(second.high, 4u));
    sums[1] = add(sums[1], subgroupBroadcast(second.low, 5u), subgroupBroadcast(second.high, 5u));
    sums[2] = add(sums[2], subgroupBroadcast(second.low, 6u), subgroupBroadcast(second.high, 6u));
    sums[3] = add(sums[3], subgroupBroadcast(second.low, 7u), subgroupBroadcast(second.high, 7u));
  }
}
