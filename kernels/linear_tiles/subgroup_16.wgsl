// A tile of 16 rows in two tiles of columns: every lane loads 8 neighbouring k of two rows.
const TILE_ROWS = 16u;
const TILES = 2u;

fn multiply(row: u32, tiles: vec2<u32>, steps: u32, lane: u32) {
  let at = (row + lane) * steps;
  for (var step = 0u; step < steps; step++) {
    let upper = load_x(at + step);
    let lower = load_x(at + steps * 8u + step);
    let first = open_weights(tiles.x, steps, step, lane);
    let second = open_weights(tiles.y, steps, step, lane);
    add_row(0u, subgroupBroadcast(upper.low, 0u), subgroupBroadcast(upper.high, 0u), first, second);
    add_row(1u, subgroupBroadcast(upper.low, 1u), subgroupBroadcast(upper.high, 1u), first, second);
    add_row(2u, subgroupBroadcast(upper.low, 2u), subgroupBroadcast(upper.high, 2u), first, second);
    add_row(3u, subgroupBroadcast(upper.low, 3u), subgroupBroadcast(upper.high, 3u), first, second);
    add_row(4u, subgroupBroadcast(upper.low, 4u), subgroupBroadcast(upper.high, 4u), first, second);
    add_row(5u, subgroupBroadcast(upper.low, 5u), subgroupBroadcast(upper.high, 5u), first, second);
    add_row(6u, subgroupBroadcast(upper.low, 6u), subgroupBroadcast(upper.high, 6u), first, second);
    add_row(7u, subgroupBroadcast(upper.low, 7u), subgroupBroadcast(upper.high, 7u), first, second);
    add_row(8u, subgroupBroadcast(lower.low, 0u), subgroupBroadcast(lower.high, 0u), first, second);
    add_row(9u, subgroupBroadcast(lower.low, 1u), subgroupBroadcast(lower.high, 1u), first, second);
    add_row(10u, subgroupBroadcast(lower.low, 2u), subgroupBroadcast(lower.high, 2u), first, second);
    add_row(11u, subgroupBroadcast(lower.low, 3u), subgroupBroadcast(lower.high, 3u), first, second);
    add_row(12u, subgroupBroadcast(lower.low, 4u), subgroupBroadcast(lower.high, 4u), first, second);
    add_row(13u, subgroupBroadcast(lower.low, 5u), subgroupBroadcast(lower.high, 5u), first, second);
    add_row(14u, subgroupBroadcast(lower.low, 6u), subgroupBroadcast(lower.high, 6u), first, second);
    add_row(15u, subgroupBroadcast(lower.low, 7u), subgroupBroadcast(lower.high, 7u), first, second);
  }
}
