// Turns q and k of every row by the angles of its position, in place; the way back turns by the
// opposite angles. Of a head, component i turns with component i + HALF.
//
// qkv: [rows, 3, HEADS, 2 · HALF] f32, HALF a multiple of 4. angles: [LENGTH, HALF] of (cosine,
// sine), in vectors of 4 cosines, then 4 sines. Row r is at position r % LENGTH. An invocation
// takes 4 pairs.
// Source: Su et al. 2021, "RoFormer", section 3.4.2.

struct Params {
  length: u32,
  // 1, or -1 on the way back.
  direction: f32,
}

override HEADS: u32;
override HALF4: u32;
const LANES = 32u;

@group(0) @binding(0) var<storage, read> angles: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> qkv: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> params: Params;

@compute @workgroup_size(LANES)
fn rotary(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  // Pairs of q come first, then those of k.
  let pair4 = group.x * LANES + lane;
  if (pair4 >= 2u * HEADS * HALF4) {
    return;
  }
  let row = group.y;
  let place = pair4 % HALF4;
  let at = row * 6u * HEADS * HALF4 + pair4 / HALF4 * 2u * HALF4 + place;
  let angle = (row % params.length * HALF4 + place) * 2u;
  let cosine = angles[angle];
  let sine = angles[angle + 1u] * params.direction;
  let first = qkv[at];
  let second = qkv[at + HALF4];
  qkv[at] = first * cosine - second * sine;
  qkv[at + HALF4] = second * cosine + first * sine;
}
