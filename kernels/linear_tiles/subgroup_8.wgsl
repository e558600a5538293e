// A tile of 8 rows in two tiles of columns: every lane loads 8 neighbouring k of one row.
const TILE_ROWS = 8u;
const TILES = 2u;

fn multiply(row: u32, tiles: vec2<u32>, steps: u32, lane: u32) {
  let at = (row + lane) * steps;
  for (var step = 0u; step < steps; step++) {
    let part = load_x(at + step);
    let first = open_weights(tiles.x, steps, step, lane);
    let second = open_weights(tiles.y, steps, step, lane);
    add_row(0u, subgroupBroadcast(part.low, 0u), subgroupBroadcast(part.high, 0u), first, second);
    add_row(1u, subgroupBroadcast(part.low, 1u), subgroupBroadcast(part.high, 1u), first, second);
    add_row(2u, subgroupBroadcast(part.low, 2u), subgroupBroadcast(part.high, 2u), first, second);
    add_row(3u, subgroupBroadcast(part.low, 3u), subgroupBroadcast(part.high, 3u), first, second);
    add_row(4u, subgroupBroadcast(part.low, 4u), subgroupBroadcast(part.high, 4u), first, second);
    add_row(5u, subgroupBroadcast(part.low, 5u), subgroupBroadcast(part.high, 5u), first, second);
    add_row(6u, subgroupBroadcast(part.low, 6u), subgroupBroadcast(part.high, 6u), first, second);
    add_row(7u, subgroupBroadcast(part.low, 7u), subgroupBroadcast(part.high, 7u), first, second);
  }
}
