// Fragment: what all linear kernels read, and the one order in which they sum. A loads fragment has x and
// the weights, and fn load_columns(vectors, lane): of 32 vectors, one a column, those of a lane. An
// epilogue fragment says what becomes of the sums: fn look_up(row) gives what it must know of a row, the
// same for all columns, and fn finish(row, looked_up, column4, sum) writes them to its y, binding 3.

struct Params {
  // Length of the sums; a multiple of 32.
  k: u32,
  // Tiles of 32 columns that this weight (a part of a split matrix) has.
  tiles: u32,
  // First column that it gives, and the width of the result.
  first: u32,
  stride: u32,
  // Rows of x to pass over: row r of the result comes from row SKIP + r of x.
  skip: u32,
  // Rows of the result.
  rows: u32,
  // Which of the counts bounds the rows: 0 rows, 1 heads; see counted.wgsl.
  counted: u32,
  // Steps of 8 along k that are summed by themselves; the sums of the slices are then added in order.
  slice: u32,
  // What epilogues ask for: floats of a modulation's row (0 where one row serves all conditions), the
  // first column of the gate, and see gated_residual.wgsl.
  modulation: u32,
  gate: u32,
  gathers: u32,
}

@group(0) @binding(1) var<storage, read> counts: array<u32>;
@group(0) @binding(2) var<storage, read> bias: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> params: Params;

// The vectors that a lane has of a tile, one for each of its 4 columns.
struct Columns {
  a: vec4<u32>,
  b: vec4<u32>,
  c: vec4<u32>,
  d: vec4<u32>,
}

// The weights of one step, 8 neighbouring k, for the 4 columns of a lane. A weights fragment opens them:
// fn open_weights(tile, steps, step, lane); or 4 steps, for which formats with many weights in a vector
// load once: fn open_block(tile, steps, step, lane), where step is a multiple of 4, and fn
// weights_of(block, i).
struct Weights {
  k0: vec4<f32>,
  k1: vec4<f32>,
  k2: vec4<f32>,
  k3: vec4<f32>,
  k4: vec4<f32>,
  k5: vec4<f32>,
  k6: vec4<f32>,
  k7: vec4<f32>,
}

// From what a lane has of a step column by column, k 0 … 3 of its 4 columns and then k 4 … 7 of them.
fn weights_by_k(
  a: vec4<f32>,
  b: vec4<f32>,
  c: vec4<f32>,
  d: vec4<f32>,
  e: vec4<f32>,
  f: vec4<f32>,
  g: vec4<f32>,
  h: vec4<f32>,
) -> Weights {
  return Weights(
    vec4(a.x, b.x, c.x, d.x),
    vec4(a.y, b.y, c.y, d.y),
    vec4(a.z, b.z, c.z, d.z),
    vec4(a.w, b.w, c.w, d.w),
    vec4(e.x, f.x, g.x, h.x),
    vec4(e.y, f.y, g.y, h.y),
    vec4(e.z, f.z, g.z, h.z),
    vec4(e.w, f.w, g.w, h.w),
  );
}

// Adds the products of one step, in the order of k: the same bits whoever calls it.
fn add(sum: vec4<f32>, low: vec4<f32>, high: vec4<f32>, weights: Weights) -> vec4<f32> {
  var result = fma(vec4(low.x), weights.k0, sum);
  result = fma(vec4(low.y), weights.k1, result);
  result = fma(vec4(low.z), weights.k2, result);
  result = fma(vec4(low.w), weights.k3, result);
  result = fma(vec4(high.x), weights.k4, result);
  result = fma(vec4(high.y), weights.k5, result);
  result = fma(vec4(high.z), weights.k6, result);
  return fma(vec4(high.w), weights.k7, result);
}

// Live rows of the result, from SKIP on.
fn rows_left() -> u32 {
  let live = counts[params.counted];
  return min(live - min(live, params.skip), params.rows);
}
