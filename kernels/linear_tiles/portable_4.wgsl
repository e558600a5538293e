// A tile of 4 rows, in three tiles of columns, written out: what is loaded of x serves all.
const TILE_ROWS = 4u;

fn multiply(row: u32, tiles: vec3<u32>, steps: u32, lane: u32) {
  let at = row * steps * 2u;
  for (var step = 0u; step < steps; step++) {
    let low_0 = x[at + step * 2u];
    let high_0 = x[at + step * 2u + 1u];
    let low_1 = x[at + (steps * 1u + step) * 2u];
    let high_1 = x[at + (steps * 1u + step) * 2u + 1u];
    let low_2 = x[at + (steps * 2u + step) * 2u];
    let high_2 = x[at + (steps * 2u + step) * 2u + 1u];
    let low_3 = x[at + (steps * 3u + step) * 2u];
    let high_3 = x[at + (steps * 3u + step) * 2u + 1u];
    let first = open_weights(tiles.x, steps, step, lane);
    sums[0] = add(sums[0], low_0, high_0, first);
    sums[1] = add(sums[1], low_1, high_1, first);
    sums[2] = add(sums[2], low_2, high_2, first);
    sums[3] = add(sums[3], low_3, high_3, first);
    let second = open_weights(tiles.y, steps, step, lane);
    sums[4] = add(sums[4], low_0, high_0, second);
    sums[5] = add(sums[5], low_1, high_1, second);
    sums[6] = add(sums[6], low_2, high_2, second);
    sums[7] = add(sums[7], low_3, high_3, second);
    let third = open_weights(tiles.z, steps, step, lane);
    sums[8] = add(sums[8], low_0, high_0, third);
    sums[9] = add(sums[9], low_1, high_1, third);
    sums[10] = add(sums[10], low_2, high_2, third);
    sums[11] = add(sums[11], low_3, high_3, third);
  }
}
