// A tile of one row: every lane of 4 loads 8 of 32 neighbouring k.
const TILE_ROWS = 1u;

fn multiply(row: u32, tile: u32, steps: u32, lane: u32) {
  let at = row * steps + lane % 4u;
  for (var step = 0u; step < steps; step += 4u) {
    let part = load_x(at + step);
    open_block(tile, steps, step, lane);
    open_next();
    sums[0] = add(sums[0], subgroupBroadcast(part.low, 0u), subgroupBroadcast(part.high, 0u));
    open_next();
    sums[0] = add(sums[0], subgroupBroadcast(part.low, 1u), subgroupBroadcast(part.high, 1u));
    open_next();
    sums[0] = add(sums[0], subgroupBroadcast(part.low, 2u), subgroupBroadcast(part.high, 2u));
    open_next();
    sums[0] = add(sums[0], subgroupBroadcast(part.low, 3u), subgroupBroadcast(part.high, 3u));
  }
}
