// Fragment: what all attention kernels read, and the one order in which they sum. A loads fragment has q
// and o, fn load_q(octet) and fn store_o(octet, value).

struct Params {
  // See counted.wgsl.
  counted: u32,
  // Rows of a slice, where there are several.
  bound: u32,
}

override HEADS: u32;
// Query heads that share a key/value head: neighbours.
override GROUP: u32;
override PAGE: u32;
override TABLE: u32;
override SCALE: f32;
// Keys of one rescaling, at fixed absolute positions.
const KEYS = 4u;
const LOWEST = -3.0e38;
const NONE = 0xffffffffu;

@group(0) @binding(1) var<storage, read> rows: array<Row>;
@group(0) @binding(2) var<storage, read> counts: array<u32>;
@group(0) @binding(3) var<storage, read> pages: array<u32>;
@group(0) @binding(6) var<storage, read> params: Params;

// A row on its way: what it asks, and has summed; with subgroups, what a lane has of all rows' sums.
var<private> query: array<vec4<f32>, HEAD8 * 2u>;
var<private> sum: array<vec4<f32>, HEAD8 * 2u>;
var<private> highest: f32;
var<private> total: f32;
// Scores of KEYS keys, and after weigh() their weights.
var<private> score: array<f32, KEYS>;

fn load_query(row: u32, head: u32) {
  sum = array<vec4<f32>, HEAD8 * 2u>();
  highest = LOWEST;
  total = 0.0;
  for (var octet = 0u; octet < HEAD8; octet++) {
    let part = load_q((row * HEADS + head) * HEAD8 + octet);
    query[2u * octet] = part.low * SCALE;
    query[2u * octet + 1u] = part.high * SCALE;
  }
}

// Chunks of KEYS neighbouring positions in which range.x … range.y - 1 lie.
fn chunks_of(range: vec2<u32>) -> u32 {
  return (range.y + KEYS - 1u) / KEYS - range.x / KEYS;
}

// What a row asks of the keys: its range of its own sequence, and that of its past, which comes first.
struct Asked {
  row: u32,
  own: vec2<u32>,
  past: vec2<u32>,
  past_chunks: u32,
  chunks: u32,
}

fn asked_by(row: u32) -> Asked {
  let own = vec2(rows[row].first, rows[row].end);
  let past = vec2(0u, rows[row].past_end);
  let past_chunks = chunks_of(past);
  return Asked(row, own, past, past_chunks, past_chunks + chunks_of(own));
}

// A chunk of KEYS that a row asks for.
struct Chunk {
  // Position of its first key, and the panel that this lies in.
  position: u32,
  panel: u32,
  // The range in which the row sees keys there.
  seen: vec2<u32>,
}

fn chunk_at(asked: Asked, c: u32, head: u32) -> Chunk {
  let is_past = c < asked.past_chunks;
  let position = select(asked.own.x / KEYS + c - asked.past_chunks, c, is_past) * KEYS;
  let slot = select(rows[asked.row].slot, rows[asked.row].past_slot, is_past);
  return Chunk(position, panel_of(slot, position, head), select(asked.own, asked.past, is_past));
}

// Where the cache has a position of a sequence for a query head: the panel of 8 that it lies in.
fn panel_of(slot: u32, position: u32, head: u32) -> u32 {
  let table = slot * TABLE;
  let page = pages[table + 1u + (position / PAGE) % pages[table]];
  let shared_head = page * (HEADS / GROUP) + head / GROUP;
  return shared_head * (PAGE / 8u) + position % PAGE / 8u;
}

fn add_product(before: f32, a: vec4<f32>, b: vec4<f32>) -> f32 {
  return fma(a.w, b.w, fma(a.z, b.z, fma(a.y, b.y, fma(a.x, b.x, before))));
}

// Adds an octet of key j to its score: 8 products, in the order of the components.
fn add_score(j: u32, octet: u32, low: vec4<f32>, high: vec4<f32>) {
  let sum_low = add_product(score[j], query[2u * octet], low);
  score[j] = add_product(sum_low, query[2u * octet + 1u], high);
}

// From the scores of the keys from `chunk` on to their weights; gives by how much to rescale what was
// summed of values before. Keys that the row does not see, outside of seen.x … seen.y - 1, have no weight
// at all.
fn weigh(chunk: u32, seen: vec2<u32>) -> f32 {
  var high = highest;
  for (var j = 0u; j < KEYS; j++) {
    let is_visible = chunk + j >= seen.x && chunk + j < seen.y;
    score[j] = select(LOWEST, score[j], is_visible);
    high = max(high, score[j]);
  }
  // Exactly 1 where nothing changes, whatever the driver makes of e^0.
  let rescale = select(exp(highest - high), 1.0, highest == high);
  total *= rescale;
  highest = high;
  for (var j = 0u; j < KEYS; j++) {
    score[j] = select(0.0, exp(score[j] - high), score[j] != LOWEST);
    total += score[j];
  }
  return rescale;
}
