// A tile of 8 rows: every lane loads 8 neighbouring k of one row.
const TILE_ROWS = 8u;

fn multiply(row: u32, tile: u32, steps: u32, lane: u32) {
  let at = (row + lane) * steps;
  for (var step = 0u; step < steps; step++) {
    let part = load_x(at + step);
    open_weights(tile, steps, step, lane);
    sums[0] = add(sums[0], subgroupBroadcast(part.low, 0u), subgroupBroadcast(part.high, 0u));
    sums[1] = add(sums[1], subgroupBroadcast(part.low, 1u), subgroupBroadcast(part.high, 1u));
    sums[2] = add(sums[2], subgroupBroadcast(part.low, 2u), subgroupBroadcast(part.high, 2u));
    sums[3] = add(sums[3], subgroupBroadcast(part.low, 3u), subgroupBroadcast(part.high, 3u));
    sums[4] = add(sums[4], subgroupBroadcast(part.low, 4u), subgroupBroadcast(part.high, 4u));
    sums[5] = add(sums[5], subgroupBroadcast(part.low, 5u), subgroupBroadcast(part.high, 5u));
    sums[6] = add(sums[6], subgroupBroadcast(part.low, 6u), subgroupBroadcast(part.high, 6u));
    sums[7] = add(sums[7], subgroupBroadcast(part.low, 7u), subgroupBroadcast(part.high, 7u));
  }
}
