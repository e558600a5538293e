// A tile of one row: every lane of 4 loads 8 of 32 neighbouring k.
const TILE_ROWS = 1u;
const TILES = 1u;

fn multiply(row: u32, tiles: vec2<u32>, steps: u32, lane: u32) {
  let at = row * steps + lane % 4u;
  for (var step = 0u; step < steps; step += 4u) {
    let part = load_x(at + step);
    let block = open_block(tiles.x, steps, step, lane);
    let weights_0 = weights_of(block, 0u);
    sums[0] = add(sums[0], subgroupBroadcast(part.low, 0u), subgroupBroadcast(part.high, 0u), weights_0);
    let weights_1 = weights_of(block, 1u);
    sums[0] = add(sums[0], subgroupBroadcast(part.low, 1u), subgroupBroadcast(part.high, 1u), weights_1);
    let weights_2 = weights_of(block, 2u);
    sums[0] = add(sums[0], subgroupBroadcast(part.low, 2u), subgroupBroadcast(part.high, 2u), weights_2);
    let weights_3 = weights_of(block, 3u);
    sums[0] = add(sums[0], subgroupBroadcast(part.low, 3u), subgroupBroadcast(part.high, 3u), weights_3);
  }
}
