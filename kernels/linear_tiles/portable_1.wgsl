// A tile of one row, in three tiles of columns, written out: what is loaded of x serves all.
const TILE_ROWS = 1u;

fn multiply(row: u32, tiles: vec3<u32>, steps: u32, lane: u32) {
  let at = row * steps * 2u;
  for (var step = 0u; step < steps; step++) {
    let low_0 = x[at + step * 2u];
    let high_0 = x[at + step * 2u + 1u];
    let first = open_weights(tiles.x, steps, step, lane);
    sums[0] = add(sums[0], low_0, high_0, first);
    let second = open_weights(tiles.y, steps, step, lane);
    sums[4] = add(sums[4], low_0, high_0, second);
    let third = open_weights(tiles.z, steps, step, lane);
    sums[8] = add(sums[8], low_0, high_0, third);
  }
}
