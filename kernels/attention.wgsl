// o[r, h, :] = Σ over keys j of softmax_j( q[s, h, :] · k[j, g, :] · SCALE ) v[j, g, :]
// over first ≤ j < end of row s, what it may see of its own sequence, after 0 ≤ j < past_end of
// another slot, all of it in the cache. Row r stands for row s of the pass (counted.wgsl), and g is
// ⌊h / GROUP⌋: neighbouring heads share keys and values.
//
// q, o: [rows, HEADS, 8 HEAD8] f32. k, v: panels of 8 positions, opened by a cache fragment. pages:
// [slots, TABLE], whose first entry is how many pages the sequence has; positions go round them.
// One invocation per row and head: lanes of a workgroup are neighbouring rows, which mostly see the
// same keys. The softmax is computed on the way: KEYS keys at a time at fixed absolute positions,
// one rescaling each, so that the order of the sums depends on the row alone.
//
// Where a row sees more than SLICE keys, each of SLICES invocations takes the chunks of as many, those
// of the past first, and leaves its sum, its largest score and the weights' sum to
// attention_merge.wgsl: o is then [slices, rows, HEADS, 8 HEAD8] and state [slices, rows, HEADS].
// Source: Vaswani et al. 2017, eq. 1; Milakov & Gimelshein 2018, "Online normalizer calculation for
// softmax"; block-causal visibility: BD3-LM, section 3.1; slices: Dao et al. 2023, "Flash-Decoding";
// shared heads: Ainslie et al. 2023, "GQA".

override SLICE: u32;
override SLICES: u32;
const LANES = 8u;
const QUERIES = 1u;

@group(0) @binding(5) var<storage, read_write> state: array<vec2<f32>>;

// Adds two octets of KEYS keys to the scores.
fn add_pair_scores(panel: u32, octet: u32, place: u32) {
  for (var i = octet; i < octet + 2u; i++) {
    for (var j = 0u; j < KEYS; j++) {
      let part = load_key(panel, i, place + j);
      add_score(0u, j, i, part.low, part.high);
    }
  }
}

// Adds two octets of KEYS values, times what by now are weights.
fn add_pair_values(panel: u32, octet: u32, place: u32) {
  for (var i = octet; i < octet + 2u; i++) {
    for (var j = 0u; j < KEYS; j++) {
      let part = load_value(panel, i, place + j);
      // What lies outside may be anything, NaN included: it must not be multiplied by zero.
      let is_seen = score[j] != 0.0;
      let low = select(vec4(0.0), part.low, is_seen);
      add_value(j, i, low, select(vec4(0.0), part.high, is_seen));
    }
  }
}

// Adds an octet of value j, times its weight.
fn add_value(j: u32, octet: u32, low: vec4<f32>, high: vec4<f32>) {
  let weight = vec4(score[j]);
  sum[2u * octet] = fma(weight, low, sum[2u * octet]);
  sum[2u * octet + 1u] = fma(weight, high, sum[2u * octet + 1u]);
}

// The octet of the result that a row of o has by now.
fn result(octet: u32, divisor: f32) -> Octet {
  return Octet(sum[2u * octet] / divisor, sum[2u * octet + 1u] / divisor);
}

@compute @workgroup_size(LANES)
fn attention(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.x * LANES + lane;
  let head = group.y;
  let slice = group.z;
  if (row >= live_rows()) {
    return;
  }
  let asked = asked_by(source_row(row));
  let start = slice * (SLICE / KEYS);
  let stop = min(asked.chunks, start + SLICE / KEYS);
  if (start >= stop) {
    return;
  }
  sum = array<vec4<f32>, HEAD8 * 2u>();
  load_query(0u, asked.row, head);
  for (var c = start; c < stop; c++) {
    let chunk = chunk_at(asked, c, head);
    score = array<f32, KEYS>();
    add_all_scores(chunk.panel, chunk.position % 8u);
    let rescale = weigh(0u, chunk.position, chunk.seen);
    for (var quad = 0u; quad < HEAD8 * 2u; quad++) {
      sum[quad] *= rescale;
    }
    add_all_values(chunk.panel, chunk.position % 8u);
  }

  let place = (slice * params.bound + row) * HEADS + head;
  let divisor = select(1.0, total[0], SLICES == 1u);
  for (var octet = 0u; octet < HEAD8; octet++) {
    store_o(place * HEAD8 + octet, result(octet, divisor));
  }
  state[place] = vec2(highest[0], total[0]);
}
