// What attention.wgsl computes, on GPUs: a workgroup takes one row and head over a slice of SLICE
// keys, piece by piece. First its lanes share the keys out and leave the scores in workgroup memory;
// then, of the values, each takes one octet of every eighth key. So neighbouring lanes read
// neighbouring vectors of the cache both times, and the order of a sum depends on the row alone.
//
// o, state, SLICE and SLICES: as in attention.wgsl.
// Source: Dao et al. 2023, "Flash-Decoding".

override SLICE: u32;
override SLICES: u32;
// Keys of a piece, and their chunks.
const PIECE_KEYS = 512u;
const PIECE = PIECE_KEYS / KEYS;
const PLACES = 8u;
const LANES = HEAD8 * PLACES;

@group(0) @binding(5) var<storage, read_write> state: array<vec2<f32>>;

var<private> highest: f32;
var<private> total: f32;
var<workgroup> asking: array<vec4<f32>, HEAD8 * 2u>;
// Scores of the piece's keys, then their weights.
var<workgroup> weights: array<f32, PIECE_KEYS>;
// Where each chunk of KEYS lies: 8 times its panel, and its first place there.
var<workgroup> places: array<u32, PIECE>;
var<workgroup> by_lane: array<f32, LANES>;
var<workgroup> by_place: array<f32, PLACES>;
var<workgroup> sums: array<Octet, LANES>;

// One value of each place from those of the lanes; then all lanes may read `by_place`.
fn gather_largest(lane: u32, own: f32) {
  by_lane[lane] = own;
  workgroupBarrier();
  if (lane < PLACES) {
    var largest = by_lane[lane];
    for (var i = PLACES; i < LANES; i += PLACES) {
      largest = max(largest, by_lane[lane + i]);
    }
    by_place[lane] = largest;
  }
  workgroupBarrier();
}

fn gather_sum(lane: u32, own: f32) {
  by_lane[lane] = own;
  // Also: all have read the last `by_place`.
  workgroupBarrier();
  if (lane < PLACES) {
    var total_of_place = 0.0;
    for (var i = 0u; i < LANES; i += PLACES) {
      total_of_place += by_lane[lane + i];
    }
    by_place[lane] = total_of_place;
  }
  workgroupBarrier();
}

fn score_of(panel: u32, place: u32) -> f32 {
  var low = vec4(0.0);
  var high = vec4(0.0);
  for (var octet = 0u; octet < HEAD8; octet++) {
    let part = load_key(panel, octet, place);
    low = fma(asking[2u * octet], part.low, low);
    high = fma(asking[2u * octet + 1u], part.high, high);
  }
  let both = low + high;
  return (both.x + both.y) + (both.z + both.w);
}

// Scores of the keys of a stretch of chunks, and the highest score so far.
fn score_keys(lane: u32, asked: Asked, head: u32, stretch: vec2<u32>) {
  var own_highest = highest;
  for (var i = lane; i < (stretch.y - stretch.x) * KEYS; i += LANES) {
    let chunk = chunk_at(asked, stretch.x + i / KEYS, head);
    let key = chunk.position + i % KEYS;
    weights[i] = LOWEST;
    if (key >= chunk.seen.x && key < chunk.seen.y) {
      weights[i] = score_of(chunk.panel, key % 8u);
    }
    own_highest = max(own_highest, weights[i]);
    if (i % KEYS == 0u) {
      places[i / KEYS] = chunk.panel * 8u + chunk.position % 8u;
    }
  }
  gather_largest(lane, own_highest);
  for (var i = 0u; i < PLACES; i++) {
    highest = max(highest, by_place[i]);
  }
}

// From scores to weights, which count towards the total.
fn weigh_keys(lane: u32, keys: u32, rescale: f32) {
  var own_total = 0.0;
  for (var i = lane; i < keys; i += LANES) {
    let weight = select(0.0, exp(weights[i] - highest), weights[i] != LOWEST);
    weights[i] = weight;
    own_total += weight;
  }
  gather_sum(lane, own_total);
  total *= rescale;
  for (var i = 0u; i < PLACES; i++) {
    total += by_place[i];
  }
}

@compute @workgroup_size(LANES)
fn attention_workgroup(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.x;
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
  if (lane < HEAD8 * 2u) {
    asking[lane] = q[(asked.row * HEADS + head) * HEAD8 * 2u + lane] * SCALE;
  }
  workgroupBarrier();

  let octet = lane / PLACES;
  let in_pair = lane % PLACES;
  highest = LOWEST;
  total = 0.0;
  var low = vec4(0.0);
  var high = vec4(0.0);
  for (var begin = start; begin < stop; begin += PIECE) {
    let chunks = min(stop - begin, PIECE);
    let before = highest;
    score_keys(lane, asked, head, vec2(begin, begin + chunks));
    // Exactly 1 where nothing changes, whatever the driver makes of e^0.
    let rescale = select(exp(before - highest), 1.0, before == highest);
    weigh_keys(lane, chunks * KEYS, rescale);
    low *= rescale;
    high *= rescale;
    for (var c = in_pair / KEYS; c < chunks; c += PLACES / KEYS) {
      let weight = weights[c * KEYS + in_pair % KEYS];
      // What a row does not see may be anything, NaN included.
      if (weight != 0.0) {
        let part = load_value(places[c] / 8u, octet, places[c] % 8u + in_pair % KEYS);
        low = fma(vec4(weight), part.low, low);
        high = fma(vec4(weight), part.high, high);
      }
    }
    // The next piece overwrites weights and places.
    workgroupBarrier();
  }
  sums[lane] = Octet(low, high);
  // The sums of all places are read below.
  workgroupBarrier();

  let place = (slice * params.bound + row) * HEADS + head;
  if (lane < HEAD8 * 2u) {
    var sum_of_places = vec4(0.0);
    for (var i = 0u; i < PLACES; i++) {
      let part = sums[lane / 2u * PLACES + i];
      sum_of_places += select(part.low, part.high, lane % 2u == 1u);
    }
    let divisor = select(1.0, total, SLICES == 1u);
    o[place * HEAD8 * 2u + lane] = sum_of_places / divisor;
  }
  if (lane == 0u) {
    state[place] = vec2(highest, total);
  }
}
