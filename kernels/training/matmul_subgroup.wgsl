// c = a · b on devices whose subgroups have 8 lanes: a subgroup gives 16 rows of 32 columns. Of 4
// steps along k a lane loads the 4 rows of B in its own 4 columns, and its share of 16 rows of A,
// which the others get by broadcast: on a software adapter a load costs as much as fifty
// multiplications.
//
// The operands' fragment has fn load_a(row, step, lane), which gives a lane's share of 8 rows, fn
// a0(share) … a7(share), each 4 neighbouring k of one of them, and fn load_b(column4, step), which
// fills b0 … b3.

const LANES = 32u;
const TILE_ROWS = 16u;
const TILES = 1u;

var<private> b0: vec4<f32>;
var<private> b1: vec4<f32>;
var<private> b2: vec4<f32>;
var<private> b3: vec4<f32>;

fn add(sum: vec4<f32>, row: vec4<f32>) -> vec4<f32> {
  var result = fma(vec4(row.x), b0, sum);
  result = fma(vec4(row.y), b1, result);
  result = fma(vec4(row.z), b2, result);
  return fma(vec4(row.w), b3, result);
}

// 4 neighbouring k.
fn multiply(row: u32, column4: u32, step: u32, lane: u32) {
  let upper = load_a(row, step, lane);
  let lower = load_a(row + 8u, step, lane);
  load_b(column4, step);
  sums[0] = add(sums[0], a0(upper));
  sums[1] = add(sums[1], a1(upper));
  sums[2] = add(sums[2], a2(upper));
  sums[3] = add(sums[3], a3(upper));
  sums[4] = add(sums[4], a4(upper));
  sums[5] = add(sums[5], a5(upper));
  sums[6] = add(sums[6], a6(upper));
  sums[7] = add(sums[7], a7(upper));
  sums[8] = add(sums[8], a0(lower));
  sums[9] = add(sums[9], a1(lower));
  sums[10] = add(sums[10], a2(lower));
  sums[11] = add(sums[11], a3(lower));
  sums[12] = add(sums[12], a4(lower));
  sums[13] = add(sums[13], a5(lower));
  sums[14] = add(sums[14], a6(lower));
  sums[15] = add(sums[15], a7(lower));
}

@compute @workgroup_size(LANES)
fn matmul_subgroup(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let tile = group.x * (LANES / 8u) + index / 8u;
  // The same for a whole subgroup: no lane of it may be missing from a broadcast.
  if (tile * 32u >= params.n) {
    return;
  }
  let row = group.y * TILE_ROWS;
  let lane = index % 8u;
  let column4 = tile * 8u + lane;
  for (var step = 0u; step < params.k / 4u; step += 2u) {
    multiply(row, column4, step, lane);
    multiply(row, column4, step + 1u, lane);
  }
  let live = min(TILE_ROWS, params.m - row);
  for (var r = 0u; r < live; r += 4u) {
    let four = four_sums(r);
    for (var i = 0u; i < min(4u, live - r); i++) {
      if (column4 * 4u < params.n) {
        finish(row + r + i, column4, sum_of(four, i));
      }
    }
  }
}
