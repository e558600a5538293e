// z[r, h, c] = gain[h, c] · x[r, h, c] / sqrt(mean over c of x[r, h, c]² + EPSILON) for the heads of q and
// k, z = x for those of v; then what epilogues/rope_store.wgsl makes of z.
//
// x: [rows, HEADS + 2 KV_HEADS, HEAD] f32 of which the first WIDTH components of a head count; beyond
// them it is zero, and so is z. gain: [2, HEAD] f32, that of all heads of q and that of all of k, in the
// order of the components in x. One workgroup per row and head, whose lanes a fragment sums over.
// Source: Henry et al. 2020, "Query-key normalization for transformers", with the root-mean-square norm
// of Zhang & Sennrich 2019, as in Qwen3's q_norm and k_norm.

override WIDTH: u32;
override EPSILON: f32;

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> counts: array<u32>;
@group(0) @binding(2) var<storage, read> gain: array<vec4<f32>>;

@compute @workgroup_size(LANES)
fn qk_norm(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let head = group.x;
  let row = group.y;
  if (row >= counts[0]) {
    return;
  }
  let quads = HEAD / 4u;
  let column4 = head * quads;
  let at = row * (HEADS + 2u * KV_HEADS) * quads + column4;

  var squares = 0.0;
  for (var c = lane; c < quads; c += LANES) {
    squares += dot(x[at + c], x[at + c]);
  }
  let scale = inverseSqrt(sum_over_lanes(lane, squares) / f32(WIDTH) + EPSILON);

  let looked_up = look_up(row);
  let is_key = head >= HEADS;
  let is_value = head >= HEADS + KV_HEADS;
  for (var c = lane; c < quads; c += LANES) {
    let normed = gain[select(0u, quads, is_key) + c] * x[at + c] * scale;
    finish(row, looked_up, column4 + c, select(normed, x[at + c], is_value));
  }
}
