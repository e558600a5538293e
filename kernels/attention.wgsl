// o[r, h, :] = Σ over keys j of softmax_j( q[r, h, :] · k[j, h, :] · SCALE ) v[j, h, :]
// over first ≤ j < end of the row: what it may see of its own sequence, all of it in the cache.
//
// q, o: [rows, HEADS, 4 HEAD4] f32. k, v: [pages, HEADS, PAGE, 4 HEAD4] f32. pages: [slots, TABLE],
// whose first entry is how many pages the sequence has; positions go round them.
// One invocation per row and head: lanes of a workgroup are neighbouring rows, which mostly see the
// same keys. The softmax is computed on the way: KEYS keys at a time at fixed absolute positions,
// one rescaling each, so that the order of the sums depends on the row alone. A dispatch goes over
// `keys` of them from `skip` on; until the last, o holds the sum, and state: [rows, HEADS] the
// largest score and the weights' sum, so that slices give the same bits as one dispatch.
// Source: Vaswani et al. 2017, eq. 1; Milakov & Gimelshein 2018, "Online normalizer calculation for
// softmax"; block-causal visibility: BD3-LM, section 3.1.

struct Params {
  // Multiples of KEYS, counted from the chunk of the row's first key.
  skip: u32,
  keys: u32,
}

override HEADS: u32;
override PAGE: u32;
override TABLE: u32;
override SCALE: f32;
const LANES = 8u;
const KEYS = 8u;
const LOWEST = -3.0e38;

@group(0) @binding(0) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> k: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> v: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> rows: array<Row>;
@group(0) @binding(4) var<storage, read> counts: array<u32>;
@group(0) @binding(5) var<storage, read> pages: array<u32>;
@group(0) @binding(6) var<storage, read_write> o: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> state: array<vec2<f32>>;
@group(0) @binding(8) var<uniform> params: Params;

@compute @workgroup_size(LANES)
fn attention(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.x * LANES + lane;
  let head = group.y;
  if (row >= counts[0]) {
    return;
  }
  let first = rows[row].first;
  let end = rows[row].end;
  let start_key = first / KEYS * KEYS + params.skip;
  // The last slice of a row begins before its end and reaches it.
  if (start_key >= end) {
    return;
  }
  let stop_key = min(end, start_key + params.keys);
  let table = rows[row].slot * TABLE;
  let asked = (row * HEADS + head) * HEAD4;

  var query: array<vec4<f32>, HEAD4>;
  var sum: array<vec4<f32>, HEAD4>;
  for (var i = 0u; i < HEAD4; i++) {
    query[i] = q[asked + i] * SCALE;
  }
  var highest = LOWEST;
  var total = 0.0;
  if (params.skip > 0u) {
    for (var i = 0u; i < HEAD4; i++) {
      sum[i] = o[asked + i];
    }
    highest = state[row * HEADS + head].x;
    total = state[row * HEADS + head].y;
  }

  for (var chunk = start_key; chunk < stop_key; chunk += KEYS) {
    // PAGE is a multiple of KEYS: a chunk lies in one page.
    let page = pages[table + 1u + (chunk / PAGE) % pages[table]];
    let start = ((page * HEADS + head) * PAGE + chunk % PAGE) * HEAD4;
    var score: array<f32, KEYS>;
    var high = highest;
    for (var j = 0u; j < KEYS; j++) {
      var product = vec4(0.0);
      for (var i = 0u; i < HEAD4; i++) {
        product += query[i] * k[start + j * HEAD4 + i];
      }
      let visible = chunk + j >= first && chunk + j < end;
      score[j] = select(LOWEST, dot(product, vec4(1.0)), visible);
      high = max(high, score[j]);
    }
    let rescale = exp(highest - high);
    total *= rescale;
    for (var i = 0u; i < HEAD4; i++) {
      sum[i] *= rescale;
    }
    highest = high;
    for (var j = 0u; j < KEYS; j++) {
      // What lies outside may be anything, NaN included: it must not be multiplied by zero.
      if (chunk + j >= first && chunk + j < end) {
        let weight = exp(score[j] - high);
        total += weight;
        for (var i = 0u; i < HEAD4; i++) {
          sum[i] += weight * v[start + j * HEAD4 + i];
        }
      }
    }
  }
  state[row * HEADS + head] = vec2(highest, total);
  let divisor = select(1.0, total, stop_key == end);
  for (var i = 0u; i < HEAD4; i++) {
    o[asked + i] = sum[i] / divisor;
  }
}
