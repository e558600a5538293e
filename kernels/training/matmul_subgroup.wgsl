// c = a · b on devices whose subgroups have 8 lanes: a subgroup gives 16 rows of 64 columns. Of 4 steps
// along k a lane loads the 4 rows of B in its own 4 columns of two tiles, and its share of 16 rows of A,
// which the others get by broadcast: on a software adapter a load costs as much as fifty
// multiplications.
//
// The operands' fragment has fn load_a(row, step, lane), which gives a lane's share of 8 rows, fn
// a0(share) … a7(share), each 4 neighbouring k of one of them, and fn load_b(column4, step).

const LANES = 16u;
const TILE_ROWS = 16u;
const TILES = 2u;

// Those of B along 4 neighbouring k, in the 4 columns of a lane.
struct FourRows {
  k0: vec4<f32>,
  k1: vec4<f32>,
  k2: vec4<f32>,
  k3: vec4<f32>,
}

fn add(sum: vec4<f32>, row: vec4<f32>, own: FourRows) -> vec4<f32> {
  var result = fma(vec4(row.x), own.k0, sum);
  result = fma(vec4(row.y), own.k1, result);
  result = fma(vec4(row.z), own.k2, result);
  return fma(vec4(row.w), own.k3, result);
}

fn add_row(i: u32, row: vec4<f32>, first: FourRows, second: FourRows) {
  sums[i] = add(sums[i], row, first);
  sums[TILE_SUMS + i] = add(sums[TILE_SUMS + i], row, second);
}

@compute @workgroup_size(LANES)
fn matmul_subgroup(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let tile = (group.x * (LANES / 8u) + index / 8u) * TILES;
  // The same for a whole subgroup: no lane of it may be missing from a broadcast.
  if (tile * 32u >= params.n) {
    return;
  }
  let row = group.y * TILE_ROWS;
  let lane = index % 8u;
  let column4 = tile * 8u + lane;
  for (var step = 0u; step < params.k / 4u; step++) {
    let upper = load_a(row, step, lane);
    let lower = load_a(row + 8u, step, lane);
    let first = load_b(column4, step);
    let second = load_b(column4 + 8u, step);
    add_row(0u, a0(upper), first, second);
    add_row(1u, a1(upper), first, second);
    add_row(2u, a2(upper), first, second);
    add_row(3u, a3(upper), first, second);
    add_row(4u, a4(upper), first, second);
    add_row(5u, a5(upper), first, second);
    add_row(6u, a6(upper), first, second);
    add_row(7u, a7(upper), first, second);
    add_row(8u, a0(lower), first, second);
    add_row(9u, a1(lower), first, second);
    add_row(10u, a2(lower), first, second);
    add_row(11u, a3(lower), first, second);
    add_row(12u, a4(lower), first, second);
    add_row(13u, a5(lower), first, second);
    add_row(14u, a6(lower), first, second);
    add_row(15u, a7(lower), first, second);
  }
  let live = min(TILE_ROWS, params.m - row);
  for (var t = 0u; t < TILES; t++) {
    for (var r = 0u; r < live; r += 4u) {
      let four = four_sums(t * TILE_SUMS + r);
      for (var i = 0u; i < min(4u, live - r); i++) {
        if ((column4 + t * 8u) * 4u < params.n) {
          finish(row + r + i, column4 + t * 8u, sum_of(four, i));
        }
      }
    }
  }
}
