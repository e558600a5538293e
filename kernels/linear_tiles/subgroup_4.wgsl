// A tile of 4 rows: every lane loads 8 of 16 neighbouring k of one row.
const TILE_ROWS = 4u;

fn multiply(row: u32, tile: u32, steps: u32, lane: u32) {
  let at = (row + lane % 4u) * steps * 2u + lane / 4u * 2u;
  for (var step = 0u; step < steps; step += 2u) {
    let low = x[at + step * 2u];
    let high = x[at + step * 2u + 1u];
    open_weights(tile, steps, step, lane);
    sums[0] = add(sums[0], subgroupBroadcast(low, 0u), subgroupBroadcast(high, 0u));
    sums[1] = add(sums[1], subgroupBroadcast(low, 1u), subgroupBroadcast(high, 1u));
    sums[2] = add(sums[2], subgroupBroadcast(low, 2u), subgroupBroadcast(high, 2u));
    sums[3] = add(sums[3], subgroupBroadcast(low, 3u), subgroupBroadcast(high, 3u));
    open_weights(tile, steps, step + 1u, lane);
    sums[0] = add(sums[0], subgroupBroadcast(low, 4u), subgroupBroadcast(high, 4u));
    sums[1] = add(sums[1], subgroupBroadcast(low, 5u), subgroupBroadcast(high, 5u));
    sums[2] = add(sums[2], subgroupBroadcast(low, 6u), subgroupBroadcast(high, 6u));
    sums[3] = add(sums[3], subgroupBroadcast(low, 7u), subgroupBroadcast(high, 7u));
  }
}
