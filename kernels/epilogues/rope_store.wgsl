// The columns are q, k and v, head by head: HEADS of q, KV_HEADS of k and as many of v.
// y[r, h, :] = rotate(q), and into the row's place in the cache go rotated k and plain v.
//
// rotate: x1' = x1 cos - x2 sin, x2' = x2 cos + x1 sin, where x1 and x2, the two halves of a head, lie
// interleaved, pair by pair, and angle_i = position · θ^(-i / pairs). near: [NEAR][HEAD / 2] and far:
// [FAR][HEAD / 2] hold (cos, sin) of positions i and i · NEAR from float64; an angle is their sum, so
// that f32 never sees a large angle. pages: [slots, TABLE], whose first entry is how many pages the
// sequence has; positions go round them. The cache: see src/model/kv_cache.ts.
// Source: Su et al. 2021, "RoFormer"; halves as in BD3-LM's apply_rotary_pos_emb.
override HEADS: u32;
override KV_HEADS: u32;
override HEAD: u32;
override PAGE: u32;
override TABLE: u32;
override NEAR: u32;

@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;
@group(2) @binding(0) var<storage, read> rows: array<Row>;
@group(2) @binding(1) var<storage, read> pages: array<u32>;
@group(2) @binding(2) var<storage, read> near: array<vec4<f32>>;
@group(2) @binding(3) var<storage, read> far: array<vec4<f32>>;

// Two pairs, each turned by the sum of two angles.
fn rotate(value: vec4<f32>, position: u32, quad: u32) -> vec4<f32> {
  let a = near[(position % NEAR) * (HEAD / 4u) + quad];
  // The first entry of `far`.
  var b = vec4(1.0, 0.0, 1.0, 0.0);
  if (position >= NEAR) {
    b = far[(position / NEAR) * (HEAD / 4u) + quad];
  }
  let cosine = a.xz * b.xz - a.yw * b.yw;
  let sine = a.yw * b.xz + a.xz * b.yw;
  let first = value.xz * cosine - value.yw * sine;
  let second = value.yw * cosine + value.xz * sine;
  return vec4(first.x, second.x, first.y, second.y);
}

// The row's position, and its place in the cache: the page, and which of its positions.
fn look_up(row: u32) -> vec2<u32> {
  let position = rows[row].position;
  let table = rows[row].slot * TABLE;
  let page = pages[table + 1u + (position / PAGE) % pages[table]];
  return vec2(position, page * PAGE + position % PAGE);
}

fn finish(row: u32, looked_up: vec2<u32>, column4: u32, sum: vec4<f32>) {
  let head = column4 / (HEAD / 4u);
  let quad = column4 % (HEAD / 4u);
  let position = looked_up.x;
  let place = looked_up.y;
  var value = sum;
  if (head < HEADS + KV_HEADS) {
    value = rotate(sum, position, quad);
  }
  if (head < HEADS) {
    y[(row * HEADS + head) * (HEAD / 4u) + quad] = value;
    return;
  }
  let stored = (head - HEADS) % KV_HEADS;
  let panel = (place / PAGE * KV_HEADS + stored) * (PAGE / 8u) + place % PAGE / 8u;
  if (head < HEADS + KV_HEADS) {
    store_key(panel, quad, place % 8u, value);
  } else {
    store_value(panel, quad, place % 8u, value);
  }
}
