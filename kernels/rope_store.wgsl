// q[r, h, :] = rotate(q-part of qkv[r]), and into the row's place in the cache: rotated k, plain v.
// rotate: x1' = x1 cos - x2 sin, x2' = x2 cos + x1 sin, where x1, x2 are the halves of a head's first
// 2 PAIRS components and angle_i = position · θ^(-i / PAIRS). What pads a head stays zero.
//
// qkv: [rows, 3, HEADS, HEAD] f32. q: [rows, HEADS, HEAD] f32. k, v: [pages, HEADS, PAGE, HEAD] f32.
// near: [NEAR, PAIRS] and far: [FAR, PAIRS] hold (cos, sin) of positions i and i · NEAR from float64;
// an angle is their sum, so that f32 never sees a large angle. pages: [slots, TABLE], whose first
// entry is how many pages the sequence has; positions go round them. One invocation takes a pair.
// Source: Su et al. 2021, "RoFormer"; half-split as in BD3-LM's apply_rotary_pos_emb.

override HEADS: u32;
override HEAD: u32;
override PAIRS: u32;
override PAGE: u32;
override TABLE: u32;
override NEAR: u32;
const LANES = 32u;

@group(0) @binding(0) var<storage, read> qkv: array<f32>;
@group(0) @binding(1) var<storage, read> rows: array<Row>;
@group(0) @binding(2) var<storage, read> counts: array<u32>;
@group(0) @binding(3) var<storage, read> pages: array<u32>;
@group(0) @binding(4) var<storage, read> near: array<vec2<f32>>;
@group(0) @binding(5) var<storage, read> far: array<vec2<f32>>;
@group(0) @binding(6) var<storage, read_write> q: array<f32>;
@group(0) @binding(7) var<storage, read_write> k: array<f32>;
@group(0) @binding(8) var<storage, read_write> v: array<f32>;

@compute @workgroup_size(LANES)
fn rope_store(@builtin(global_invocation_id) id: vec3<u32>) {
  let row = id.y;
  let head = id.x / (HEAD / 2u);
  let pair = id.x % (HEAD / 2u);
  if (row >= counts[0] || head >= HEADS) {
    return;
  }
  let position = rows[row].position;
  let table = rows[row].slot * TABLE;
  let page = pages[table + 1u + (position / PAGE) % pages[table]];
  let stored = ((page * HEADS + head) * PAGE + position % PAGE) * HEAD;
  let asked = (row * HEADS + head) * HEAD;
  let q_at = (row * 3u * HEADS + head) * HEAD;
  let k_at = q_at + HEADS * HEAD;
  let v_at = k_at + HEADS * HEAD;

  v[stored + 2u * pair] = qkv[v_at + 2u * pair];
  v[stored + 2u * pair + 1u] = qkv[v_at + 2u * pair + 1u];
  if (pair >= PAIRS) {
    // Padding of a head comes in pairs of neighbours.
    for (var i = 2u * pair; i < 2u * pair + 2u; i++) {
      q[asked + i] = 0.0;
      k[stored + i] = 0.0;
    }
    return;
  }
  let a = near[(position % NEAR) * PAIRS + pair];
  let b = far[(position / NEAR) * PAIRS + pair];
  let cosine = a.x * b.x - a.y * b.y;
  let sine = a.y * b.x + a.x * b.y;
  let q1 = qkv[q_at + pair];
  let q2 = qkv[q_at + PAIRS + pair];
  q[asked + pair] = q1 * cosine - q2 * sine;
  q[asked + PAIRS + pair] = q2 * cosine + q1 * sine;
  let k1 = qkv[k_at + pair];
  let k2 = qkv[k_at + PAIRS + pair];
  k[stored + pair] = k1 * cosine - k2 * sine;
  k[stored + PAIRS + pair] = k2 * cosine + k1 * sine;
}
