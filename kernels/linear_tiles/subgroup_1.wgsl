// A tile of one row: every lane loads 4 of 32 neighbouring k.
const TILE_ROWS = 1u;

fn multiply(row: u32, tile: u32, steps: u32, lane: u32) {
  let at = row * steps * 2u + lane;
  for (var step = 0u; step < steps; step += 4u) {
    let part = x[at + step * 2u];
    open_block(tile, steps, step, lane);
    open_next();
    sums[0] = add(sums[0], subgroupBroadcast(part, 0u), subgroupBroadcast(part, 1u));
    open_next();
    sums[0] = add(sums[0], subgroupBroadcast(part, 2u), subgroupBroadcast(part, 3u));
    open_next();
    sums[0] = add(sums[0], subgroupBroadcast(part, 4u), subgroupBroadcast(part, 5u));
    open_next();
    sums[0] = add(sums[0], subgroupBroadcast(part, 6u), subgroupBroadcast(part, 7u));
  }
}
