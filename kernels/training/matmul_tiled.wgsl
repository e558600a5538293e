// c = a · b on other devices: a workgroup gives 64 rows of 64 columns, an invocation 4 × 4 of them.
// Blocks of 8 steps along k pass through workgroup memory, where they lie step by step.
//
// The blocks' fragments have fn stage_a(place, row, step), which puts vector `place` (of 128) of
// the block of A that begins at (row, step) in block_a, and fn stage_b(place, column, step)
// likewise.

const SIDE = 64u;
const STEPS = 8u;

var<workgroup> block_a: array<f32, SIDE * STEPS>;
var<workgroup> block_b: array<f32, SIDE * STEPS>;

@compute @workgroup_size(16, 16)
fn matmul_tiled(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) id: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let row = group.y * SIDE;
  let column = group.x * SIDE;
  var sums: array<vec4<f32>, 4>;
  for (var step = 0u; step < params.k; step += STEPS) {
    if (index < 128u) {
      stage_a(index, row, step);
    } else {
      stage_b(index - 128u, column, step);
    }
    // The blocks are read by all lanes.
    workgroupBarrier();
    for (var inner = 0u; inner < STEPS; inner++) {
      let at_b = inner * SIDE + id.x * 4u;
      let own = vec4(block_b[at_b], block_b[at_b + 1u], block_b[at_b + 2u], block_b[at_b + 3u]);
      for (var r = 0u; r < 4u; r++) {
        sums[r] = fma(vec4(block_a[inner * SIDE + id.y * 4u + r]), own, sums[r]);
      }
    }
    // The next blocks overwrite what is read here.
    workgroupBarrier();
  }
  let column4 = column / 4u + id.x;
  for (var r = 0u; r < 4u; r++) {
    if (row + id.y * 4u + r < params.m && column4 * 4u < params.n) {
      finish(row + id.y * 4u + r, column4, sums[r]);
    }
  }
}
