// The way back through attention.wgsl to q, row by row:
//   p[j] = e^(q · k[j] · SCALE − logsumexp),  delta = dO · o,
//   dQ = SCALE Σ over j of p[j] (dO · v[j] − delta) k[j].
//
// dO, o: [asking, HEADS, 8 OCTETS] f32; delta: [asking, HEADS], kept for attention_keys.wgsl. dQ is
// the first third of d_qkv, [rows, 3, HEADS, 8 OCTETS]; rows that did not ask get zeros. Work is
// split as in attention.wgsl.
// Source: Dao et al. 2022, "FlashAttention", algorithm 4.

@group(0) @binding(2) var<storage, read> d_o: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> o: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> logsumexp: array<f32>;
@group(0) @binding(5) var<storage, read_write> delta: array<f32>;
@group(0) @binding(6) var<storage, read_write> d_qkv: array<vec4<f32>>;

var<private> lane: u32;
var<private> head: u32;
var<private> query: array<Octet, HEAD8>;
var<private> d_out: array<Octet, HEAD8>;
var<private> sum: array<Octet, HEAD8>;
var<private> keys: array<Share, HEAD8>;
// Scores of a chunk; then the derivatives by them.
var<private> score: array<f32, CHUNK>;
var<private> d_weight: array<f32, CHUNK>;

// Sources: 1 keys, 2 values.
fn load(source: u32, row: u32, octet: u32) -> Octet {
  return load_qkv(row, source, head, octet);
}

fn add_pair_scores(row: u32, octet: u32, unused: u32) {
  let k = take(1u, row, octet, lane);
  keys[octet] = k;
  let q = query[octet];
  score[0] = dot_octets(score[0], q, row0_first(k));
  score[1] = dot_octets(score[1], q, row1_first(k));
  score[2] = dot_octets(score[2], q, row2_first(k));
  score[3] = dot_octets(score[3], q, row3_first(k));
  let p = query[octet + 1u];
  score[0] = dot_octets(score[0], p, row0_second(k));
  score[1] = dot_octets(score[1], p, row1_second(k));
  score[2] = dot_octets(score[2], p, row2_second(k));
  score[3] = dot_octets(score[3], p, row3_second(k));
  let v = take(2u, row, octet, lane);
  let d = d_out[octet];
  d_weight[0] = dot_octets(d_weight[0], d, row0_first(v));
  d_weight[1] = dot_octets(d_weight[1], d, row1_first(v));
  d_weight[2] = dot_octets(d_weight[2], d, row2_first(v));
  d_weight[3] = dot_octets(d_weight[3], d, row3_first(v));
  let e = d_out[octet + 1u];
  d_weight[0] = dot_octets(d_weight[0], e, row0_second(v));
  d_weight[1] = dot_octets(d_weight[1], e, row1_second(v));
  d_weight[2] = dot_octets(d_weight[2], e, row2_second(v));
  d_weight[3] = dot_octets(d_weight[3], e, row3_second(v));
}

fn add_pair_values(row: u32, octet: u32, unused: u32) {
  let share = keys[octet];
  var s = sum[octet];
  s = add_octet(s, score[0], row0_first(share));
  s = add_octet(s, score[1], row1_first(share));
  s = add_octet(s, score[2], row2_first(share));
  sum[octet] = add_octet(s, score[3], row3_first(share));
  s = sum[octet + 1u];
  s = add_octet(s, score[0], row0_second(share));
  s = add_octet(s, score[1], row1_second(share));
  s = add_octet(s, score[2], row2_second(share));
  sum[octet + 1u] = add_octet(s, score[3], row3_second(share));
}

fn store(row: u32) {
  let at = (row * 3u * HEADS + head) * OCTETS * 2u;
  for (var i = 0u; i < OCTETS; i++) {
    d_qkv[at + i * 2u] = sum[i].low * SCALE;
    d_qkv[at + i * 2u + 1u] = sum[i].high * SCALE;
  }
}

@compute @workgroup_size(LANES)
fn attention_queries(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  lane = index;
  head = group.y;
  let first_row = group.x * LANES;
  if (first_row >= params.asking) {
    store(first_row + lane);
    return;
  }
  let place = place_of(first_row);
  let own_start = block_start(place.position + lane);
  let last = place.position + LANES - 1u;
  let at = (first_row + lane) * HEADS + head;
  var own_delta = 0.0;
  for (var i = 0u; i < HEAD8; i++) {
    query[i] = load_qkv(first_row + lane, 0u, head, i);
  }
  for (var i = 0u; i < OCTETS; i++) {
    let place4 = (at * OCTETS + i) * 2u;
    d_out[i] = Octet(d_o[place4], d_o[place4 + 1u]);
    own_delta = dot_octets(own_delta, d_out[i], Octet(o[place4], o[place4 + 1u]));
  }
  delta[at] = own_delta;
  let own_logsumexp = logsumexp[at];

  // As in attention.wgsl.
  let first = block_start(place.position);
  var noisy = noisy_run(place.sequence, first, block_start(last) + params.block);
  var clean = clean_run(place.sequence, 0u, block_start(last));
  var clean_end = own_start;
  if (!place.is_noisy) {
    noisy.end = 0u;
    clean.end = block_start(last) + params.block;
    clean_end = own_start + params.block;
  }
  if (params.streams == 1u) {
    clean.end = 0u;
  }
  let clean_chunks = chunks_of(clean);
  let chunks = clean_chunks + chunks_of(noisy);
  for (var i = 0u; i < chunks; i++) {
    let is_clean = i < clean_chunks;
    let begin = select(own_start, 0u, is_clean);
    let end = select(own_start + params.block, clean_end, is_clean);
    let chunk = select(noisy.first + (i - clean_chunks) * CHUNK, i * CHUNK, is_clean);
    let row = select(noisy.base, clean.base, is_clean) + chunk;
    score = array<f32, CHUNK>();
    d_weight = array<f32, CHUNK>();
    add_all_scores(row, 0u);
    for (var j = 0u; j < CHUNK; j++) {
      let is_seen = chunk + j >= begin && chunk + j < end;
      let weight = select(0.0, exp(score[j] * SCALE - own_logsumexp), is_seen);
      score[j] = weight * (d_weight[j] - own_delta);
    }
    add_all_values(row, 0u);
  }
  store(first_row + lane);
}
