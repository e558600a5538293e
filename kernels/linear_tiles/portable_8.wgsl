// A tile of 8 rows, in three tiles of columns, written out: what is loaded of x serves all.
const TILE_ROWS = 8u;

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
    let low_4 = x[at + (steps * 4u + step) * 2u];
    let high_4 = x[at + (steps * 4u + step) * 2u + 1u];
    let low_5 = x[at + (steps * 5u + step) * 2u];
    let high_5 = x[at + (steps * 5u + step) * 2u + 1u];
    let low_6 = x[at + (steps * 6u + step) * 2u];
    let high_6 = x[at + (steps * 6u + step) * 2u + 1u];
    let low_7 = x[at + (steps * 7u + step) * 2u];
    let high_7 = x[at + (steps * 7u + step) * 2u + 1u];
    let first = open_weights(tiles.x, steps, step, lane);
    sums[0] = add(sums[0], low_0, high_0, first);
    sums[1] = add(sums[1], low_1, high_1, first);
    sums[2] = add(sums[2], low_2, high_2, first);
    sums[3] = add(sums[3], low_3, high_3, first);
    sums[4] = add(sums[4], low_4, high_4, first);
    sums[5] = add(sums[5], low_5, high_5, first);
    sums[6] = add(sums[6], low_6, high_6, first);
    sums[7] = add(sums[7], low_7, high_7, first);
    let second = open_weights(tiles.y, steps, step, lane);
    sums[8] = add(sums[8], low_0, high_0, second);
    sums[9] = add(sums[9], low_1, high_1, second);
    sums[10] = add(sums[10], low_2, high_2, second);
    sums[11] = add(sums[11], low_3, high_3, second);
    sums[12] = add(sums[12], low_4, high_4, second);
    sums[13] = add(sums[13], low_5, high_5, second);
    sums[14] = add(sums[14], low_6, high_6, second);
    sums[15] = add(sums[15], low_7, high_7, second);
    let third = open_weights(tiles.z, steps, step, lane);
    sums[16] = add(sums[16], low_0, high_0, third);
    sums[17] = add(sums[17], low_1, high_1, third);
    sums[18] = add(sums[18], low_2, high_2, third);
    sums[19] = add(sums[19], low_3, high_3, third);
    sums[20] = add(sums[20], low_4, high_4, third);
    sums[21] = add(sums[21], low_5, high_5, third);
    sums[22] = add(sums[22], low_6, high_6, third);
    sums[23] = add(sums[23], low_7, high_7, third);
  }
}
