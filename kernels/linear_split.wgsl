// What linear.wgsl computes, with K in slices of params.slice steps, for few rows on a GPU: 8 lanes
// and a tile of 32 columns alone would leave most of the device idle. The slices of a workgroup sum
// side by side; the first adds their sums in order.

override SLICES: u32;
const TILE_ROWS = 8u;
// SLICES at most: wgpu 29 panics where the length is an expression of an override.
const MOST_SLICES = 16u;

var<workgroup> partial: array<vec4<f32>, MOST_SLICES * TILE_ROWS * 8u>;

@compute @workgroup_size(8, SLICES)
fn linear_split(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) id: vec3<u32>,
) {
  let first_row = group.x * TILE_ROWS;
  let rows = rows_left();
  if (first_row >= rows) {
    return;
  }
  let lane = id.x;
  let tile = group.y;
  let steps = params.k / 8u;
  // Written out: an index that is no constant would keep the sums out of registers.
  var s0 = vec4(0.0);
  var s1 = vec4(0.0);
  var s2 = vec4(0.0);
  var s3 = vec4(0.0);
  var s4 = vec4(0.0);
  var s5 = vec4(0.0);
  var s6 = vec4(0.0);
  var s7 = vec4(0.0);
  let first = (params.skip + first_row) * steps * 2u;
  let row = steps * 2u;
  for (var step = id.y * params.slice; step < min((id.y + 1u) * params.slice, steps); step++) {
    let weights = open_weights(tile, steps, step, lane);
    let at = first + step * 2u;
    s0 = add(s0, x[at + 0u * row], x[at + 0u * row + 1u], weights);
    s1 = add(s1, x[at + 1u * row], x[at + 1u * row + 1u], weights);
    s2 = add(s2, x[at + 2u * row], x[at + 2u * row + 1u], weights);
    s3 = add(s3, x[at + 3u * row], x[at + 3u * row + 1u], weights);
    s4 = add(s4, x[at + 4u * row], x[at + 4u * row + 1u], weights);
    s5 = add(s5, x[at + 5u * row], x[at + 5u * row + 1u], weights);
    s6 = add(s6, x[at + 6u * row], x[at + 6u * row + 1u], weights);
    s7 = add(s7, x[at + 7u * row], x[at + 7u * row + 1u], weights);
  }
  let own = id.y * TILE_ROWS * 8u + lane;
  partial[own + 0u] = s0;
  partial[own + 8u] = s1;
  partial[own + 16u] = s2;
  partial[own + 24u] = s3;
  partial[own + 32u] = s4;
  partial[own + 40u] = s5;
  partial[own + 48u] = s6;
  partial[own + 56u] = s7;
  // The sums of all slices are read below.
  workgroupBarrier();
  let column4 = tile * 8u + lane;
  for (var r = id.y; r < TILE_ROWS && first_row + r < rows; r += SLICES) {
    var sum = vec4(0.0);
    for (var slice = 0u; slice < SLICES; slice++) {
      sum += partial[(slice * TILE_ROWS + r) * 8u + lane];
    }
    finish(first_row + r, look_up(first_row + r), params.first / 4u + column4, sum + bias[column4]);
  }
}
