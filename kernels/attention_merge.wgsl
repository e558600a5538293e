// o[r, h, :] = Σ over slices s of e^(m_s - m) o_s[r, h, :] / Σ over s of e^(m_s - m) t_s
//
// m_s and t_s: the largest score and the weights' sum of a slice, m: the largest m_s; in the order of
// the slices. partial: [slices, bound, HEADS, 8 HEAD8] f32, state: [slices, bound, HEADS] of which a
// row has as many slices as its keys take. One invocation takes 4 components.
// Source: Dao et al. 2023, "Flash-Decoding".

struct Params {
  // See counted.wgsl.
  counted: u32,
  // Rows of a slice.
  bound: u32,
}

override HEADS: u32;
override WIDTH4: u32;
override SLICE: u32;
const LANES = 32u;
const KEYS = 4u;

@group(0) @binding(0) var<storage, read> partial: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> state: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read> rows: array<Row>;
@group(0) @binding(3) var<storage, read> counts: array<u32>;
@group(0) @binding(4) var<storage, read_write> o: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> params: Params;

@compute @workgroup_size(LANES)
fn attention_merge(@builtin(global_invocation_id) id: vec3<u32>) {
  let row = id.y;
  if (row >= live_rows() || id.x >= HEADS * WIDTH4) {
    return;
  }
  let head = id.x / WIDTH4;
  let asked = source_row(row);
  let own = (rows[asked].end + KEYS - 1u) / KEYS - rows[asked].first / KEYS;
  let chunks = (rows[asked].past_end + KEYS - 1u) / KEYS + own;
  let slices = (chunks * KEYS + SLICE - 1u) / SLICE;
  var highest = state[row * HEADS + head].x;
  for (var slice = 1u; slice < slices; slice++) {
    highest = max(highest, state[(slice * params.bound + row) * HEADS + head].x);
  }
  var sum = vec4(0.0);
  var total = 0.0;
  for (var slice = 0u; slice < slices; slice++) {
    let place = (slice * params.bound + row) * HEADS + head;
    let weight = exp(state[place].x - highest);
    sum += weight * partial[place * WIDTH4 + id.x % WIDTH4];
    total += weight * state[place].y;
  }
  o[row * HEADS * WIDTH4 + id.x] = sum / total;
}
