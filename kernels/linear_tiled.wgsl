// What linear_split.wgsl computes, to the bit, for many rows on a GPU: a workgroup loads blocks of 64
// rows of x and of 64 columns of W into its memory, where each is read many times. Slices of
// params.slice steps are summed by themselves and added in order.

const TILE_ROWS = 64u;
const TILES = 2u;
// Steps of 8 along k in the workgroup's memory at a time.
const STEPS = 2u;
// 16 lanes of columns, 8 of rows.
const LANES = 128u;
const ROWS_PER_LANE = 8u;

// [TILE_ROWS][2 STEPS] vectors of 4 along k, and [STEPS][8 k][8 TILES lanes] vectors of 4 columns.
var<workgroup> block_x: array<vec4<f32>, TILE_ROWS * STEPS * 2u>;
var<workgroup> block_w: array<vec4<f32>, STEPS * 8u * 8u * TILES>;

fn load_blocks(index: u32, first_row: u32, first_tile: u32, step: u32) {
  let steps = params.k / 8u;
  for (var i = index; i < TILE_ROWS * STEPS * 2u; i += LANES) {
    let row = params.skip + first_row + i / (STEPS * 2u);
    block_x[i] = x[(row * steps + step) * 2u + i % (STEPS * 2u)];
  }
  if (index < STEPS * TILES * 8u) {
    let column = index % (8u * TILES);
    let inner = index / (8u * TILES);
    let tile = min(first_tile + column / 8u, params.tiles - 1u);
    open_weights(tile, steps, step + inner, column % 8u);
    let at = inner * 8u * 8u * TILES + column;
    block_w[at] = w0;
    block_w[at + 8u * TILES] = w1;
    block_w[at + 16u * TILES] = w2;
    block_w[at + 24u * TILES] = w3;
    block_w[at + 32u * TILES] = w4;
    block_w[at + 40u * TILES] = w5;
    block_w[at + 48u * TILES] = w6;
    block_w[at + 56u * TILES] = w7;
  }
}

fn take_weights(inner: u32, column: u32) {
  let at = inner * 8u * 8u * TILES + column;
  w0 = block_w[at];
  w1 = block_w[at + 8u * TILES];
  w2 = block_w[at + 16u * TILES];
  w3 = block_w[at + 24u * TILES];
  w4 = block_w[at + 32u * TILES];
  w5 = block_w[at + 40u * TILES];
  w6 = block_w[at + 48u * TILES];
  w7 = block_w[at + 56u * TILES];
}

@compute @workgroup_size(LANES)
fn linear_tiled(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let first_row = group.x * TILE_ROWS;
  let rows = rows_left();
  if (first_row >= rows) {
    return;
  }
  let first_tile = group.y * TILES;
  let column = index % (8u * TILES);
  let first_own = index / (8u * TILES) * ROWS_PER_LANE;
  let steps = params.k / 8u;
  var totals: array<vec4<f32>, ROWS_PER_LANE>;
  var sums: array<vec4<f32>, ROWS_PER_LANE>;
  // K is a multiple of 32: blocks are whole.
  for (var step = 0u; step < steps; step += STEPS) {
    load_blocks(index, first_row, first_tile, step);
    // The blocks are read by all lanes.
    workgroupBarrier();
    for (var inner = 0u; inner < STEPS; inner++) {
      if ((step + inner) % params.slice == 0u) {
        for (var r = 0u; r < ROWS_PER_LANE; r++) {
          totals[r] += sums[r];
          sums[r] = vec4(0.0);
        }
      }
      take_weights(inner, column);
      for (var r = 0u; r < ROWS_PER_LANE; r++) {
        let at = ((first_own + r) * STEPS + inner) * 2u;
        sums[r] = add(sums[r], block_x[at], block_x[at + 1u]);
      }
    }
    // The next blocks overwrite what is read here.
    workgroupBarrier();
  }
  let tile = first_tile + column / 8u;
  if (tile >= params.tiles) {
    return;
  }
  let column4 = tile * 8u + column % 8u;
  for (var r = 0u; r < ROWS_PER_LANE && first_row + first_own + r < rows; r++) {
    let row = first_row + first_own + r;
    finish(row, params.first / 4u + column4, totals[r] + sums[r] + bias[column4]);
  }
}
