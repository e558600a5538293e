// A tile of 4 rows: every lane loads 8 of 16 neighbouring k of one row, twice.
const TILE_ROWS = 4u;
const TILES = 1u;

fn multiply(row: u32, tiles: vec2<u32>, steps: u32, lane: u32) {
  let at = (row + lane % 4u) * steps + lane / 4u;
  for (var step = 0u; step < steps; step += 4u) {
    let upper = load_x(at + step);
    let lower = load_x(at + step + 2u);
    let block = open_block(tiles.x, steps, step, lane);
    let weights_0 = weights_of(block, 0u);
    sums[0] = add(sums[0], subgroupBroadcast(upper.low, 0u), subgroupBroadcast(upper.high, 0u), weights_0);
    sums[1] = add(sums[1], subgroupBroadcast(upper.low, 1u), subgroupBroadcast(upper.high, 1u), weights_0);
    sums[2] = add(sums[2], subgroupBroadcast(upper.low, 2u), subgroupBroadcast(upper.high, 2u), weights_0);
    sums[3] = add(sums[3], subgroupBroadcast(upper.low, 3u), subgroupBroadcast(upper.high, 3u), weights_0);
    let weights_1 = weights_of(block, 1u);
    sums[0] = add(sums[0], subgroupBroadcast(upper.low, 4u), subgroupBroadcast(upper.high, 4u), weights_1);
    sums[1] = add(sums[1], subgroupBroadcast(upper.low, 5u), subgroupBroadcast(upper.high, 5u), weights_1);
    sums[2] = add(sums[2], subgroupBroadcast(upper.low, 6u), subgroupBroadcast(upper.high, 6u), weights_1);
    sums[3] = add(sums[3], subgroupBroadcast(upper.low, 7u), subgroupBroadcast(upper.high, 7u), weights_1);
    let weights_2 = weights_of(block, 2u);
    sums[0] = add(sums[0], subgroupBroadcast(lower.low, 0u), subgroupBroadcast(lower.high, 0u), weights_2);
    sums[1] = add(sums[1], subgroupBroadcast(lower.low, 1u), subgroupBroadcast(lower.high, 1u), weights_2);
    sums[2] = add(sums[2], subgroupBroadcast(lower.low, 2u), subgroupBroadcast(lower.high, 2u), weights_2);
    sums[3] = add(sums[3], subgroupBroadcast(lower.low, 3u), subgroupBroadcast(lower.high, 3u), weights_2);
    let weights_3 = weights_of(block, 3u);
    sums[0] = add(sums[0], subgroupBroadcast(lower.low, 4u), subgroupBroadcast(lower.high, 4u), weights_3);
    sums[1] = add(sums[1], subgroupBroadcast(lower.low, 5u), subgroupBroadcast(lower.high, 5u), weights_3);
    sums[2] = add(sums[2], subgroupBroadcast(lower.low, 6u), subgroupBroadcast(lower.high, 6u), weights_3);
    sums[3] = add(sums[3], subgroupBroadcast(lower.low, 7u), subgroupBroadcast(lower.high, 7u), weights_3);
  }
}
