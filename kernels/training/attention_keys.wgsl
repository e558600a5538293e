// The way back through attention.wgsl to k and v, row by row:
//   p[i] = e^(q[i] · k · SCALE − logsumexp[i]) of the queries i that see this key,
//   dV = Σ over i of p[i] dO[i],  dK = SCALE Σ over i of p[i] (dO[i] · v − delta[i]) q[i].
//
// Shapes are those of attention_queries.wgsl, which leaves delta; dK and dV are the other two
// thirds of d_qkv. One workgroup per 8 keys and head, a key to a lane; it visits only chunks of
// queries of which one sees one of the keys.
// Source: Dao et al. 2022, "FlashAttention", algorithm 4.

@group(0) @binding(2) var<storage, read> d_o: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> logsumexp: array<f32>;
@group(0) @binding(4) var<storage, read> delta: array<f32>;
@group(0) @binding(5) var<storage, read_write> d_qkv: array<vec4<f32>>;

var<private> lane: u32;
var<private> head: u32;
var<private> key: array<Octet, HEAD8>;
var<private> value: array<Octet, HEAD8>;
var<private> d_key: array<Octet, HEAD8>;
var<private> d_value: array<Octet, HEAD8>;
var<private> queries: array<Share, HEAD8>;
var<private> d_outs: array<Share, HEAD8>;
// Scores of a chunk and derivatives by its weights; then the weights and derivatives by the scores.
var<private> score: array<f32, CHUNK>;
var<private> d_weight: array<f32, CHUNK>;

// Sources: 0 queries, 1 derivatives by what came of them.
fn load(source: u32, row: u32, octet: u32) -> Octet {
  if (source == 0u) {
    return load_qkv(row, 0u, head, octet);
  }
  if (octet >= OCTETS) {
    return Octet(vec4(0.0), vec4(0.0));
  }
  let at = ((row * HEADS + head) * OCTETS + octet) * 2u;
  return Octet(d_o[at], d_o[at + 1u]);
}

fn add_pair_scores(row: u32, octet: u32, unused: u32) {
  let q = take(0u, row, octet, lane);
  queries[octet] = q;
  let k = key[octet];
  score[0] = dot_octets(score[0], k, row0_first(q));
  score[1] = dot_octets(score[1], k, row1_first(q));
  score[2] = dot_octets(score[2], k, row2_first(q));
  score[3] = dot_octets(score[3], k, row3_first(q));
  let l = key[octet + 1u];
  score[0] = dot_octets(score[0], l, row0_second(q));
  score[1] = dot_octets(score[1], l, row1_second(q));
  score[2] = dot_octets(score[2], l, row2_second(q));
  score[3] = dot_octets(score[3], l, row3_second(q));
  let d = take(1u, row, octet, lane);
  d_outs[octet] = d;
  let v = value[octet];
  d_weight[0] = dot_octets(d_weight[0], v, row0_first(d));
  d_weight[1] = dot_octets(d_weight[1], v, row1_first(d));
  d_weight[2] = dot_octets(d_weight[2], v, row2_first(d));
  d_weight[3] = dot_octets(d_weight[3], v, row3_first(d));
  let w = value[octet + 1u];
  d_weight[0] = dot_octets(d_weight[0], w, row0_second(d));
  d_weight[1] = dot_octets(d_weight[1], w, row1_second(d));
  d_weight[2] = dot_octets(d_weight[2], w, row2_second(d));
  d_weight[3] = dot_octets(d_weight[3], w, row3_second(d));
}

fn add_pair_values(row: u32, octet: u32, unused: u32) {
  let d = d_outs[octet];
  var s = d_value[octet];
  s = add_octet(s, score[0], row0_first(d));
  s = add_octet(s, score[1], row1_first(d));
  s = add_octet(s, score[2], row2_first(d));
  d_value[octet] = add_octet(s, score[3], row3_first(d));
  s = d_value[octet + 1u];
  s = add_octet(s, score[0], row0_second(d));
  s = add_octet(s, score[1], row1_second(d));
  s = add_octet(s, score[2], row2_second(d));
  d_value[octet + 1u] = add_octet(s, score[3], row3_second(d));
  let q = queries[octet];
  s = d_key[octet];
  s = add_octet(s, d_weight[0], row0_first(q));
  s = add_octet(s, d_weight[1], row1_first(q));
  s = add_octet(s, d_weight[2], row2_first(q));
  d_key[octet] = add_octet(s, d_weight[3], row3_first(q));
  s = d_key[octet + 1u];
  s = add_octet(s, d_weight[0], row0_second(q));
  s = add_octet(s, d_weight[1], row1_second(q));
  s = add_octet(s, d_weight[2], row2_second(q));
  d_key[octet + 1u] = add_octet(s, d_weight[3], row3_second(q));
}

@compute @workgroup_size(LANES)
fn attention_keys(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  lane = index;
  head = group.y;
  let first_row = group.x * LANES;
  let place = place_of(first_row);
  let own_start = block_start(place.position + lane);
  let last = place.position + LANES - 1u;
  for (var i = 0u; i < HEAD8; i++) {
    key[i] = load_qkv(first_row + lane, 1u, head, i);
    value[i] = load_qkv(first_row + lane, 2u, head, i);
  }

  // Who sees any key of the workgroup, and in it who sees this lane's own.
  let first = block_start(place.position);
  var noisy = noisy_run(place.sequence, first, block_start(last) + params.block);
  var clean = clean_run(place.sequence, 0u, 0u);
  var begin = own_start;
  var end = own_start + params.block;
  if (!place.is_noisy) {
    noisy = noisy_run(place.sequence, first + params.block, params.length);
    clean = clean_run(place.sequence, first, params.length);
    begin = own_start + params.block;
    end = params.length;
    if (clean.base >= params.asking) {
      clean.end = 0u;
    }
  }
  let noisy_chunks = chunks_of(noisy);
  let chunks = noisy_chunks + chunks_of(clean);
  for (var i = 0u; i < chunks; i++) {
    let is_noisy = i < noisy_chunks;
    let start = select(own_start, begin, is_noisy);
    let until = select(params.length, end, is_noisy);
    let chunk = select(clean.first + (i - noisy_chunks) * CHUNK, noisy.first + i * CHUNK, is_noisy);
    let row = select(clean.base, noisy.base, is_noisy) + chunk;
    score = array<f32, CHUNK>();
    d_weight = array<f32, CHUNK>();
    add_all_scores(row, 0u);
    for (var j = 0u; j < CHUNK; j++) {
      let at = (row + j) * HEADS + head;
      let is_seen = chunk + j >= start && chunk + j < until;
      let weight = select(0.0, exp(score[j] * SCALE - logsumexp[at]), is_seen);
      score[j] = weight;
      d_weight[j] = weight * (d_weight[j] - delta[at]);
    }
    add_all_values(row, 0u);
  }

  let at = ((first_row + lane) * 3u * HEADS + head) * OCTETS * 2u;
  let part = HEADS * OCTETS * 2u;
  for (var i = 0u; i < OCTETS; i++) {
    d_qkv[at + part + i * 2u] = d_key[i].low * SCALE;
    d_qkv[at + part + i * 2u + 1u] = d_key[i].high * SCALE;
    d_qkv[at + 2u * part + i * 2u] = d_value[i].low;
    d_qkv[at + 2u * part + i * 2u + 1u] = d_value[i].high;
  }
}
