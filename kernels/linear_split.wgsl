// What linear.wgsl computes, with K in slices of params.slice steps, for few rows on a GPU: 8 lanes
// and a tile of 32 columns alone would leave most of the device idle. The slices of a workgroup sum
// side by side; the first adds their sums in order.

override SLICES: u32;
const TILE_ROWS = 8u;
// SLICES at most: wgpu 29 panics where the length is an expression of an override.
const MOST_SLICES = 8u;

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
  var sums: array<vec4<f32>, TILE_ROWS>;
  for (var step = id.y * params.slice; step < min((id.y + 1u) * params.slice, steps); step++) {
    open_weights(tile, steps, step, lane);
    for (var r = 0u; r < TILE_ROWS; r++) {
      let at = ((params.skip + first_row + r) * steps + step) * 2u;
      sums[r] = add(sums[r], x[at], x[at + 1u]);
    }
  }
  for (var r = 0u; r < TILE_ROWS; r++) {
    partial[(id.y * TILE_ROWS + r) * 8u + lane] = sums[r];
  }
  // The sums of all slices are read below.
  workgroupBarrier();
  let column4 = tile * 8u + lane;
  for (var r = id.y; r < TILE_ROWS && first_row + r < rows; r += SLICES) {
    var sum = vec4(0.0);
    for (var slice = 0u; slice < SLICES; slice++) {
      sum += partial[(slice * TILE_ROWS + r) * 8u + lane];
    }
    finish(first_row + r, params.first / 4u + column4, sum + bias[column4]);
  }
}
