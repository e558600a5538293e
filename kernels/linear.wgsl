// y[r, n] = epilogue( Σ over k of x[r, k] · W[n, k] + bias[n] )
//
// x: [rows, K] f32, K a multiple of 8. W: [N, K] in panels of 8 columns (src/weights/formats.ts),
// opened by a weights fragment, N a multiple of 8. y: [rows, STRIDE] f32, written from FIRST on.
// One invocation sums a tile of TILE_ROWS x TILE_PANELS values, in registers, over all of K in one
// order, so that a row's value depends neither on the tile's height nor on the rows beside it.
// 8 neighbouring lanes share a panel: together they read one 128-byte line of W a step. Tiles of rows
// come first in the grid, so that those beyond the live rows, which return at once, spread evenly.

struct Params {
  k: u32,
  panels: u32,
  // First column of y that this weight (a part of a split matrix) gives, and the width of y.
  first: u32,
  stride: u32,
  // Rows of x to pass over: row r of y comes from row SKIP + r of x.
  skip: u32,
}

// Which of the counts bounds the rows: 0 rows, 1 heads.
override COUNTED: u32;
const LANES = 32u;

struct Weight8 {
  low: vec4<f32>,
  high: vec4<f32>,
}

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> counts: array<u32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(LANES)
fn linear(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let first_row = group.x * TILE_ROWS;
  let rows = counts[COUNTED] - min(counts[COUNTED], params.skip);
  let first_panel = (group.y * (LANES / 8u) + lane / 8u) * TILE_PANELS;
  if (first_row >= rows || first_panel >= params.panels) {
    return;
  }
  let column = lane % 8u;
  let steps = params.k / 8u;

  var sums: array<array<f32, TILE_PANELS>, TILE_ROWS>;
  for (var step = 0u; step < steps; step++) {
    var weights: array<Weight8, TILE_PANELS>;
    for (var p = 0u; p < TILE_PANELS; p++) {
      weights[p] = weight8(min(first_panel + p, params.panels - 1u) * steps + step, column);
    }
    for (var r = 0u; r < TILE_ROWS; r++) {
      let at = (params.skip + first_row + r) * steps * 2u + step * 2u;
      let low = x[at];
      let high = x[at + 1u];
      for (var p = 0u; p < TILE_PANELS; p++) {
        sums[r][p] += dot(low, weights[p].low) + dot(high, weights[p].high);
      }
    }
  }

  for (var p = 0u; p < TILE_PANELS && first_panel + p < params.panels; p++) {
    let n = (first_panel + p) * 8u + column;
    for (var r = 0u; r < TILE_ROWS && first_row + r < rows; r++) {
      let at = (first_row + r) * params.stride + params.first + n;
      y[at] = epilogue(params.skip + first_row + r, params.first + n, at, sums[r][p] + bias[n]);
    }
  }
}
