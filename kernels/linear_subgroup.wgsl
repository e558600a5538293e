// What linear.wgsl computes, to the bit, for tiles of 8 rows on devices whose subgroups have 8 lanes.
// Each lane loads one row of x and the others get it by broadcast: on a software adapter a load
// costs as much as fifty multiplications, so 2 loads a step take the place of 16.

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
const ROWS = 8u;

struct Weight8 {
  low: vec4<f32>,
  high: vec4<f32>,
}

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> counts: array<u32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

// The weights of 8 steps of k in 4 panels, one column of each.
var<private> w0: Weight8;
var<private> w1: Weight8;
var<private> w2: Weight8;
var<private> w3: Weight8;

fn products(low: vec4<f32>, high: vec4<f32>) -> vec4<f32> {
  return vec4(
    dot(low, w0.low) + dot(high, w0.high),
    dot(low, w1.low) + dot(high, w1.high),
    dot(low, w2.low) + dot(high, w2.high),
    dot(low, w3.low) + dot(high, w3.high),
  );
}

@compute @workgroup_size(LANES)
fn linear_subgroup(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let first_row = group.x * ROWS;
  let rows = counts[COUNTED] - min(counts[COUNTED], params.skip);
  if (first_row >= rows) {
    return;
  }
  // Panels beyond the last are summed like it and not written: no lane of a subgroup may be missing.
  let first_panel = (group.y * (LANES / 8u) + lane / 8u) * 4u;
  let last = params.panels - 1u;
  let column = lane % 8u;
  let steps = params.k / 8u;
  let at = (params.skip + first_row + column) * steps * 2u;

  var sums: array<vec4<f32>, ROWS>;
  for (var step = 0u; step < steps; step++) {
    w0 = weight8(min(first_panel, last) * steps + step, column);
    w1 = weight8(min(first_panel + 1u, last) * steps + step, column);
    w2 = weight8(min(first_panel + 2u, last) * steps + step, column);
    w3 = weight8(min(first_panel + 3u, last) * steps + step, column);
    let low = x[at + step * 2u];
    let high = x[at + step * 2u + 1u];
    sums[0] += products(subgroupBroadcast(low, 0u), subgroupBroadcast(high, 0u));
    sums[1] += products(subgroupBroadcast(low, 1u), subgroupBroadcast(high, 1u));
    sums[2] += products(subgroupBroadcast(low, 2u), subgroupBroadcast(high, 2u));
    sums[3] += products(subgroupBroadcast(low, 3u), subgroupBroadcast(high, 3u));
    sums[4] += products(subgroupBroadcast(low, 4u), subgroupBroadcast(high, 4u));
    sums[5] += products(subgroupBroadcast(low, 5u), subgroupBroadcast(high, 5u));
    sums[6] += products(subgroupBroadcast(low, 6u), subgroupBroadcast(high, 6u));
    sums[7] += products(subgroupBroadcast(low, 7u), subgroupBroadcast(high, 7u));
  }

  for (var p = 0u; p < 4u && first_panel + p < params.panels; p++) {
    let n = (first_panel + p) * 8u + column;
    for (var r = 0u; r < ROWS && first_row + r < rows; r++) {
      let written = (first_row + r) * params.stride + params.first + n;
      y[written] =
        epilogue(params.skip + first_row + r, params.first + n, written, sums[r][p] + bias[n]);
    }
  }
}
