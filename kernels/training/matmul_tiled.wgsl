// c = a · b on other devices: a workgroup gives 64 rows of 64 columns, an invocation 8 × 8 of them, in
// two by two squares of 4. Blocks of 8 steps along k pass through workgroup memory, where they lie
// step by step: [STEPS][SIDE / 4] vectors.
//
// The blocks' fragments have fn stage_a(square, row, step), which puts a square of 4 rows and 4 steps
// (of 32) of the block of A that begins at (row, step) in block_a, and fn stage_b(square, column,
// step) likewise.

const SIDE = 64u;
const SIDE4 = SIDE / 4u;
const STEPS = 8u;

var<workgroup> block_a: array<vec4<f32>, SIDE4 * STEPS>;
var<workgroup> block_b: array<vec4<f32>, SIDE4 * STEPS>;

// Puts a square whose vectors lie along k in a block, turned.
fn turn_a(at: u32, p: vec4<f32>, q: vec4<f32>, r: vec4<f32>, s: vec4<f32>) {
  block_a[at] = vec4(p.x, q.x, r.x, s.x);
  block_a[at + SIDE4] = vec4(p.y, q.y, r.y, s.y);
  block_a[at + 2u * SIDE4] = vec4(p.z, q.z, r.z, s.z);
  block_a[at + 3u * SIDE4] = vec4(p.w, q.w, r.w, s.w);
}

fn turn_b(at: u32, p: vec4<f32>, q: vec4<f32>, r: vec4<f32>, s: vec4<f32>) {
  block_b[at] = vec4(p.x, q.x, r.x, s.x);
  block_b[at + SIDE4] = vec4(p.y, q.y, r.y, s.y);
  block_b[at + 2u * SIDE4] = vec4(p.z, q.z, r.z, s.z);
  block_b[at + 3u * SIDE4] = vec4(p.w, q.w, r.w, s.w);
}

fn finish_inside(slice: u32, row: u32, column4: u32, sum: vec4<f32>) {
  if (row < params.m && column4 * 4u < params.n) {
    finish(slice * params.m + row, column4, sum);
  }
}

@compute @workgroup_size(8, 8)
fn matmul_tiled(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) id: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let row = group.y * SIDE;
  let column = group.x * SIDE;
  // Sums of row i in the left and the right square, written out: an index that is no constant would
  // keep them out of registers.
  var s0l = vec4(0.0);
  var s0r = vec4(0.0);
  var s1l = vec4(0.0);
  var s1r = vec4(0.0);
  var s2l = vec4(0.0);
  var s2r = vec4(0.0);
  var s3l = vec4(0.0);
  var s3r = vec4(0.0);
  var s4l = vec4(0.0);
  var s4r = vec4(0.0);
  var s5l = vec4(0.0);
  var s5r = vec4(0.0);
  var s6l = vec4(0.0);
  var s6r = vec4(0.0);
  var s7l = vec4(0.0);
  var s7r = vec4(0.0);
  let end = min(params.k, (group.z + 1u) * params.slice);
  for (var step = group.z * params.slice; step < end; step += STEPS) {
    if (index < 32u) {
      stage_a(index, row, step);
    } else {
      stage_b(index - 32u, column, step);
    }
    // The blocks are read by all lanes.
    workgroupBarrier();
    for (var inner = 0u; inner < STEPS; inner++) {
      let upper = block_a[inner * SIDE4 + id.y];
      let lower = block_a[inner * SIDE4 + 8u + id.y];
      let left = block_b[inner * SIDE4 + id.x];
      let right = block_b[inner * SIDE4 + 8u + id.x];
      s0l = fma(vec4(upper.x), left, s0l);
      s0r = fma(vec4(upper.x), right, s0r);
      s1l = fma(vec4(upper.y), left, s1l);
      s1r = fma(vec4(upper.y), right, s1r);
      s2l = fma(vec4(upper.z), left, s2l);
      s2r = fma(vec4(upper.z), right, s2r);
      s3l = fma(vec4(upper.w), left, s3l);
      s3r = fma(vec4(upper.w), right, s3r);
      s4l = fma(vec4(lower.x), left, s4l);
      s4r = fma(vec4(lower.x), right, s4r);
      s5l = fma(vec4(lower.y), left, s5l);
      s5r = fma(vec4(lower.y), right, s5r);
      s6l = fma(vec4(lower.z), left, s6l);
      s6r = fma(vec4(lower.z), right, s6r);
      s7l = fma(vec4(lower.w), left, s7l);
      s7r = fma(vec4(lower.w), right, s7r);
    }
    // The next blocks overwrite what is read here.
    workgroupBarrier();
  }
  let first = row + id.y * 4u;
  let left4 = column / 4u + id.x;
  finish_inside(group.z, first + 0u, left4, s0l);
  finish_inside(group.z, first + 0u, left4 + 8u, s0r);
  finish_inside(group.z, first + 1u, left4, s1l);
  finish_inside(group.z, first + 1u, left4 + 8u, s1r);
  finish_inside(group.z, first + 2u, left4, s2l);
  finish_inside(group.z, first + 2u, left4 + 8u, s2r);
  finish_inside(group.z, first + 3u, left4, s3l);
  finish_inside(group.z, first + 3u, left4 + 8u, s3r);
  finish_inside(group.z, first + 32u, left4, s4l);
  finish_inside(group.z, first + 32u, left4 + 8u, s4r);
  finish_inside(group.z, first + 33u, left4, s5l);
  finish_inside(group.z, first + 33u, left4 + 8u, s5r);
  finish_inside(group.z, first + 34u, left4, s6l);
  finish_inside(group.z, first + 34u, left4 + 8u, s6r);
  finish_inside(group.z, first + 35u, left4, s7l);
  finish_inside(group.z, first + 35u, left4 + 8u, s7r);
}
