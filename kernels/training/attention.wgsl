// o[r, h, :] = Σ over keys j that row r sees of softmax_j( q[r, h, :] · k[j, h, :] · SCALE ) v[j,
// h, :], and for the way back logsumexp[r, h] of the scores.
//
// qkv: [rows, 3, HEADS, 8 OCTETS] f32. o: [asking, HEADS, 8 OCTETS]. Visibility: two_stream.wgsl.
// One workgroup per 8 rows and head, a row to a lane; it visits only chunks of keys that one of
// them sees.
// Source: Milakov & Gimelshein 2018, "Online normalizer calculation for softmax"; Dao et al. 2022,
// "FlashAttention", algorithm 1.

@group(0) @binding(2) var<storage, read_write> o: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> logsumexp: array<f32>;

const LOWEST = -3.0e38;

var<private> lane: u32;
var<private> head: u32;
var<private> query: array<Octet, HEAD8>;
var<private> sum: array<Octet, HEAD8>;
var<private> score: array<f32, CHUNK>;

// Sources: 1 keys, 2 values.
fn load(source: u32, row: u32, octet: u32) -> Octet {
  return load_qkv(row, source, head, octet);
}

fn add_pair_scores(row: u32, octet: u32, unused: u32) {
  let share = take(1u, row, octet, lane);
  let q = query[octet];
  score[0] = dot_octets(score[0], q, row0_first(share));
  score[1] = dot_octets(score[1], q, row1_first(share));
  score[2] = dot_octets(score[2], q, row2_first(share));
  score[3] = dot_octets(score[3], q, row3_first(share));
  let p = query[octet + 1u];
  score[0] = dot_octets(score[0], p, row0_second(share));
  score[1] = dot_octets(score[1], p, row1_second(share));
  score[2] = dot_octets(score[2], p, row2_second(share));
  score[3] = dot_octets(score[3], p, row3_second(share));
}

fn add_pair_values(row: u32, octet: u32, unused: u32) {
  let share = take(2u, row, octet, lane);
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

@compute @workgroup_size(LANES)
fn attention(
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
    query[i] = load_qkv(first_row + lane, 0u, head, i);
  }

  // What any row of the workgroup sees, and in it this lane's own part.
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

  var highest = LOWEST;
  var total = 0.0;
  let clean_chunks = chunks_of(clean);
  let chunks = clean_chunks + chunks_of(noisy);
  for (var i = 0u; i < chunks; i++) {
    let is_clean = i < clean_chunks;
    let begin = select(own_start, 0u, is_clean);
    let end = select(own_start + params.block, clean_end, is_clean);
    let chunk = select(noisy.first + (i - clean_chunks) * CHUNK, i * CHUNK, is_clean);
    let row = select(noisy.base, clean.base, is_clean) + chunk;
    score = array<f32, CHUNK>();
    add_all_scores(row, 0u);
    var high = highest;
    for (var j = 0u; j < CHUNK; j++) {
      let is_seen = chunk + j >= begin && chunk + j < end;
      score[j] = select(LOWEST, score[j] * SCALE, is_seen);
      high = max(high, score[j]);
    }
    // Exactly 1 where nothing changes, whatever the driver makes of e^0.
    let rescale = select(exp(highest - high), 1.0, highest == high);
    total *= rescale;
    for (var c = 0u; c < HEAD8; c++) {
      sum[c] = Octet(sum[c].low * rescale, sum[c].high * rescale);
    }
    highest = high;
    for (var j = 0u; j < CHUNK; j++) {
      score[j] = select(0.0, exp(score[j] - high), score[j] != LOWEST);
      total += score[j];
    }
    add_all_values(row, 0u);
  }

  let at = (first_row + lane) * HEADS + head;
  for (var i = 0u; i < OCTETS; i++) {
    o[(at * OCTETS + i) * 2u] = sum[i].low / total;
    o[(at * OCTETS + i) * 2u + 1u] = sum[i].high / total;
  }
  logsumexp[at] = highest + log(total);
}
