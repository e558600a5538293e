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
// Vectors of a row of block_x.
const ROW = STEPS * 2u;

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
    let weights = open_weights(tile, steps, step + inner, column % 8u);
    let at = inner * 8u * 8u * TILES + column;
    block_w[at] = weights.k0;
    block_w[at + 8u * TILES] = weights.k1;
    block_w[at + 16u * TILES] = weights.k2;
    block_w[at + 24u * TILES] = weights.k3;
    block_w[at + 32u * TILES] = weights.k4;
    block_w[at + 40u * TILES] = weights.k5;
    block_w[at + 48u * TILES] = weights.k6;
    block_w[at + 56u * TILES] = weights.k7;
  }
}

fn take_weights(inner: u32, column: u32) -> Weights {
  let at = inner * 8u * 8u * TILES + column;
  return Weights(
    block_w[at],
    block_w[at + 8u * TILES],
    block_w[at + 16u * TILES],
    block_w[at + 24u * TILES],
    block_w[at + 32u * TILES],
    block_w[at + 40u * TILES],
    block_w[at + 48u * TILES],
    block_w[at + 56u * TILES],
  );
}

// Sums of this slice and of all before, written out: an index that is no constant would keep them out of
// registers.
var<private> s0: vec4<f32>;
var<private> s1: vec4<f32>;
var<private> s2: vec4<f32>;
var<private> s3: vec4<f32>;
var<private> s4: vec4<f32>;
var<private> s5: vec4<f32>;
var<private> s6: vec4<f32>;
var<private> s7: vec4<f32>;
var<private> t0: vec4<f32>;
var<private> t1: vec4<f32>;
var<private> t2: vec4<f32>;
var<private> t3: vec4<f32>;
var<private> t4: vec4<f32>;
var<private> t5: vec4<f32>;
var<private> t6: vec4<f32>;
var<private> t7: vec4<f32>;

fn end_slice() {
  t0 += s0;
  s0 = vec4(0.0);
  t1 += s1;
  s1 = vec4(0.0);
  t2 += s2;
  s2 = vec4(0.0);
  t3 += s3;
  s3 = vec4(0.0);
  t4 += s4;
  s4 = vec4(0.0);
  t5 += s5;
  s5 = vec4(0.0);
  t6 += s6;
  s6 = vec4(0.0);
  t7 += s7;
  s7 = vec4(0.0);
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
  // K is a multiple of 32: blocks are whole.
  for (var step = 0u; step < steps; step += STEPS) {
    load_blocks(index, first_row, first_tile, step);
    // The blocks are read by all lanes.
    workgroupBarrier();
    for (var inner = 0u; inner < STEPS; inner++) {
      if ((step + inner) % params.slice == 0u) {
        end_slice();
      }
      let weights = take_weights(inner, column);
      let at = (first_own * STEPS + inner) * 2u;
      s0 = add(s0, block_x[at + 0u * ROW], block_x[at + 0u * ROW + 1u], weights);
      s1 = add(s1, block_x[at + 1u * ROW], block_x[at + 1u * ROW + 1u], weights);
      s2 = add(s2, block_x[at + 2u * ROW], block_x[at + 2u * ROW + 1u], weights);
      s3 = add(s3, block_x[at + 3u * ROW], block_x[at + 3u * ROW + 1u], weights);
      s4 = add(s4, block_x[at + 4u * ROW], block_x[at + 4u * ROW + 1u], weights);
      s5 = add(s5, block_x[at + 5u * ROW], block_x[at + 5u * ROW + 1u], weights);
      s6 = add(s6, block_x[at + 6u * ROW], block_x[at + 6u * ROW + 1u], weights);
      s7 = add(s7, block_x[at + 7u * ROW], block_x[at + 7u * ROW + 1u], weights);
    }
    // The next blocks overwrite what is read here.
    workgroupBarrier();
  }
  let tile = first_tile + column / 8u;
  if (tile >= params.tiles) {
    return;
  }
  let column4 = tile * 8u + column % 8u;
  end_slice();
  let live = min(ROWS_PER_LANE, rows - min(rows, first_row + first_own));
  // The sums move up one by one.
  for (var r = 0u; r < live; r++) {
    let row = first_row + first_own + r;
    finish(row, look_up(row), params.first / 4u + column4, t0 + bias[column4]);
    t0 = t1;
    t1 = t2;
    t2 = t3;
    t3 = t4;
    t4 = t5;
    t5 = t6;
    t6 = t7;
  }
}
