// What attention.wgsl computes, to the bit, on devices whose subgroups have 8 lanes and which load 32
// bytes at a time. A lane takes the scores of QUERIES rows, one or two, 8 apart; to load KEYS keys, lane
// i loads two neighbours' octet i / 2 of four, and all get all by broadcast: on a software adapter a load
// costs as much as fifty multiplications. Of the values a lane takes a part of the components, for all
// rows.
//
// Rows of several sequences may meet in a subgroup: it goes over the keys of one sequence at a time,
// over all that any of its rows sees, of which those that a row does not see have no effect on it. Rows
// of one sequence see ranges that overlap or meet, as those of a pass do, and one and the same past.

const LANES = 8u;
const ROWS = LANES * QUERIES;

// The octet that this lane loads of four, and of which of the two pairs of keys.
var<private> own_octet: u32;
var<private> own_pair: u32;

// Which of KEYS keys any row sees.
var<private> is_seen: vec4<bool>;

// Adds an octet of key j to the scores of all of a lane's rows.
fn add_key(j: u32, octet: u32, low: vec4<f32>, high: vec4<f32>) {
  add_score(0u, j, octet, low, high);
  if (QUERIES == 2u) {
    add_score(1u, j, octet, low, high);
  }
}

// Adds four octets of KEYS keys to the scores.
fn add_scores(panel: u32, octet: u32, place: u32) {
  let part = load_keys(panel, octet + own_octet, place / 2u + own_pair);
  add_key(0u, octet, subgroupBroadcast(part.even.low, 0u), subgroupBroadcast(part.even.high, 0u));
  add_key(1u, octet, subgroupBroadcast(part.odd.low, 0u), subgroupBroadcast(part.odd.high, 0u));
  add_key(2u, octet, subgroupBroadcast(part.even.low, 1u), subgroupBroadcast(part.even.high, 1u));
  add_key(3u, octet, subgroupBroadcast(part.odd.low, 1u), subgroupBroadcast(part.odd.high, 1u));
  add_key(0u, octet + 1u, subgroupBroadcast(part.even.low, 2u), subgroupBroadcast(part.even.high, 2u));
  add_key(1u, octet + 1u, subgroupBroadcast(part.odd.low, 2u), subgroupBroadcast(part.odd.high, 2u));
  add_key(2u, octet + 1u, subgroupBroadcast(part.even.low, 3u), subgroupBroadcast(part.even.high, 3u));
  add_key(3u, octet + 1u, subgroupBroadcast(part.odd.low, 3u), subgroupBroadcast(part.odd.high, 3u));
  add_key(0u, octet + 2u, subgroupBroadcast(part.even.low, 4u), subgroupBroadcast(part.even.high, 4u));
  add_key(1u, octet + 2u, subgroupBroadcast(part.odd.low, 4u), subgroupBroadcast(part.odd.high, 4u));
  add_key(2u, octet + 2u, subgroupBroadcast(part.even.low, 5u), subgroupBroadcast(part.even.high, 5u));
  add_key(3u, octet + 2u, subgroupBroadcast(part.odd.low, 5u), subgroupBroadcast(part.odd.high, 5u));
  add_key(0u, octet + 3u, subgroupBroadcast(part.even.low, 6u), subgroupBroadcast(part.even.high, 6u));
  add_key(1u, octet + 3u, subgroupBroadcast(part.odd.low, 6u), subgroupBroadcast(part.odd.high, 6u));
  add_key(2u, octet + 3u, subgroupBroadcast(part.even.low, 7u), subgroupBroadcast(part.even.high, 7u));
  add_key(3u, octet + 3u, subgroupBroadcast(part.odd.low, 7u), subgroupBroadcast(part.odd.high, 7u));
}

// Quads of a row's sum that a lane has, [row][part] in `sum`: every eighth octet from its own on, and,
// from HALF on, half an octet where four remain. So what it loads of values is all its own, and a weight
// that it gets by broadcast serves as many products.
const PARTS = HEAD8 / 4u;
const HALF = HEAD8 / 8u * 2u;

var<private> own_lane: u32;

// One part of the values of KEYS keys.
struct Part {
  a: vec4<f32>,
  b: vec4<f32>,
  c: vec4<f32>,
  d: vec4<f32>,
}

// Adds it to the sums of a row, which has these weights for the keys.
fn add_to_row(row: u32, part: u32, values: Part, weights: vec4<f32>) {
  let at = row * PARTS + part;
  sum[at] = fma(vec4(weights.x), values.a, sum[at]);
  sum[at] = fma(vec4(weights.y), values.b, sum[at]);
  sum[at] = fma(vec4(weights.z), values.c, sum[at]);
  sum[at] = fma(vec4(weights.w), values.d, sum[at]);
}

// To those of every lane's query q.
fn add_to_rows(q: u32, part: u32, values: Part) {
  let first = q * LANES;
  let weights = vec4(score[q * KEYS], score[q * KEYS + 1u], score[q * KEYS + 2u], score[q * KEYS + 3u]);
  add_to_row(first, part, values, subgroupBroadcast(weights, 0u));
  add_to_row(first + 1u, part, values, subgroupBroadcast(weights, 1u));
  add_to_row(first + 2u, part, values, subgroupBroadcast(weights, 2u));
  add_to_row(first + 3u, part, values, subgroupBroadcast(weights, 3u));
  add_to_row(first + 4u, part, values, subgroupBroadcast(weights, 4u));
  add_to_row(first + 5u, part, values, subgroupBroadcast(weights, 5u));
  add_to_row(first + 6u, part, values, subgroupBroadcast(weights, 6u));
  add_to_row(first + 7u, part, values, subgroupBroadcast(weights, 7u));
}

fn add_part(part: u32, loaded: Part) {
  // What no row sees may be anything, NaN included: it must not be multiplied by zero. What one row of a
  // sequence sees and another does not is finite, or the sequence fails by itself.
  let values = Part(
    select(vec4(0.0), loaded.a, is_seen.x),
    select(vec4(0.0), loaded.b, is_seen.y),
    select(vec4(0.0), loaded.c, is_seen.z),
    select(vec4(0.0), loaded.d, is_seen.w),
  );
  add_to_rows(0u, part, values);
  if (QUERIES == 2u) {
    add_to_rows(1u, part, values);
  }
}

// Adds eight octets of KEYS values, times what by now are weights.
fn add_values_of_8(panel: u32, octet: u32, place: u32) {
  let upper = load_values(panel, octet + own_lane, place / 2u);
  let lower = load_values(panel, octet + own_lane, place / 2u + 1u);
  add_part(octet / 4u, Part(upper.even.low, upper.odd.low, lower.even.low, lower.odd.low));
  add_part(octet / 4u + 1u, Part(upper.even.high, upper.odd.high, lower.even.high, lower.odd.high));
}

fn half_of(octet: Octet) -> vec4<f32> {
  return select(octet.low, octet.high, own_lane % 2u == 1u);
}

// Adds four octets of KEYS values.
fn add_values_of_4(panel: u32, octet: u32, place: u32) {
  let upper = load_values(panel, octet + own_lane / 2u, place / 2u);
  let lower = load_values(panel, octet + own_lane / 2u, place / 2u + 1u);
  add_part(HALF, Part(half_of(upper.even), half_of(upper.odd), half_of(lower.even), half_of(lower.odd)));
}

fn rescale_row(row: u32, factor: f32) {
  for (var part = 0u; part < PARTS; part++) {
    sum[row * PARTS + part] *= factor;
  }
}

fn rescale_rows(q: u32, factor: f32) {
  let first = q * LANES;
  rescale_row(first, subgroupBroadcast(factor, 0u));
  rescale_row(first + 1u, subgroupBroadcast(factor, 1u));
  rescale_row(first + 2u, subgroupBroadcast(factor, 2u));
  rescale_row(first + 3u, subgroupBroadcast(factor, 3u));
  rescale_row(first + 4u, subgroupBroadcast(factor, 4u));
  rescale_row(first + 5u, subgroupBroadcast(factor, 5u));
  rescale_row(first + 6u, subgroupBroadcast(factor, 6u));
  rescale_row(first + 7u, subgroupBroadcast(factor, 7u));
}

// A part of what was summed of a row: of lane r's query q.
fn sum_of(q: u32, r: u32, part: u32) -> vec4<f32> {
  let first = q * LANES * PARTS + part;
  return pick_of_8(
    r,
    sum[first],
    sum[first + PARTS],
    sum[first + 2u * PARTS],
    sum[first + 3u * PARTS],
    sum[first + 4u * PARTS],
    sum[first + 5u * PARTS],
    sum[first + 6u * PARTS],
    sum[first + 7u * PARTS],
  );
}

// Stores the rows from vector `at` on that are those of every lane's query q, as far as they are of the
// sequence: is_own says so of this lane's. A loop, since written out it is long to compile.
fn store_rows(q: u32, at: u32, is_own: bool, live: u32) {
  let own = vec2(select(0u, 1u, is_own), bitcast<u32>(total[q]));
  for (var r = 0u; r < min(LANES, live); r++) {
    let of_row = from_lane(own, r);
    if (of_row.x == 0u) {
      continue;
    }
    let divisor = bitcast<f32>(of_row.y);
    let first = at + r * HEADS * HEAD8;
    for (var part = 0u; part < HALF; part += 2u) {
      let value = Octet(sum_of(q, r, part) / divisor, sum_of(q, r, part + 1u) / divisor);
      store_o(first + part * 4u + own_lane, value);
    }
    if (HALF < PARTS) {
      store_half((first + HALF * 4u) * 2u + own_lane, sum_of(q, r, HALF) / divisor);
    }
  }
}

// A row that a lane asks for: what it sees of its own sequence, and of its past.
struct Query {
  row: u32,
  slot: u32,
  own: vec2<u32>,
  past: vec2<u32>,
  past_slot: u32,
}

// None beyond the live ones.
fn query_of(row: u32) -> Query {
  var result = Query(0u, NONE, vec2(0u), vec2(0u), 0u);
  if (row < live_rows()) {
    let asked = source_row(row);
    let fields = rows[asked];
    result = Query(
      asked,
      fields.slot,
      vec2(fields.first, fields.end),
      vec2(0u, fields.past_end),
      fields.past_slot,
    );
  }
  return result;
}

// The range that queries see together: each of its own sequence, or of its past.
fn joined(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
  return vec2(min(a.x, b.x), max(a.y, b.y));
}

// What a query adds to it: nothing where it is of another sequence.
fn added(range: vec2<u32>, is_own: bool) -> vec2<u32> {
  return select(vec2(NONE, 0u), range, is_own);
}

// Goes over the KEYS keys from position `chunk` on: of those that any row sees, `all`, the lane's first
// row sees those in seen.xy, its second one those in seen.zw.
fn add_chunk(panel: u32, chunk: u32, all: vec2<u32>, seen: vec4<u32>) {
  score = array<f32, QUERIES * KEYS>();
  add_all_scores(panel, chunk % 8u);
  let factor = weigh(0u, chunk, seen.xy);
  var second_factor = factor;
  if (QUERIES == 2u) {
    second_factor = weigh(1u, chunk, seen.zw);
  }
  rescale_rows(0u, factor);
  if (QUERIES == 2u) {
    rescale_rows(1u, second_factor);
  }
  let keys = vec4(chunk) + vec4(0u, 1u, 2u, 3u);
  is_seen = (keys >= all.xxxx) & (keys < all.yyyy);
  add_all_values(panel, chunk % 8u);
}

@compute @workgroup_size(LANES)
fn attention_subgroup(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let first_row = group.x * ROWS;
  let head = group.y;
  let all_live = live_rows();
  if (first_row >= all_live) {
    return;
  }
  let live = all_live - first_row;
  own_lane = lane;
  own_octet = lane / 2u;
  own_pair = lane % 2u;
  let a = query_of(first_row + lane);
  var b = a;
  if (QUERIES == 2u) {
    b = query_of(first_row + LANES + lane);
  }

  // Sequences by their slots, from the lowest to the highest. Rows of the others come along, and what
  // they sum is dropped.
  var next = 0u;
  loop {
    let current = subgroupMin(min(select(NONE, a.slot, a.slot >= next), select(NONE, b.slot, b.slot >= next)));
    if (current == NONE) {
      break;
    }
    next = current + 1u;
    let is_own_a = a.slot == current;
    let is_own_b = b.slot == current;
    // What any of its rows sees.
    let own = joined(added(a.own, is_own_a), added(b.own, is_own_b));
    let all_own = vec2(subgroupMin(own.x), subgroupMax(own.y));
    let past = joined(added(a.past, is_own_a), added(b.past, is_own_b));
    let all_past = vec2(0u, subgroupMax(past.y));
    let past_slot = subgroupMax(max(select(0u, a.past_slot, is_own_a), select(0u, b.past_slot, is_own_b)));
    let past_chunks = chunks_of(all_past);
    let chunks = past_chunks + chunks_of(all_own);
    sum = array<vec4<f32>, QUERIES * HEAD8 * 2u>();
    load_query(0u, a.row, head);
    if (QUERIES == 2u) {
      load_query(1u, b.row, head);
    }
    var first_panel = 0u;
    for (var c = 0u; c < chunks; c++) {
      let is_past = c < past_chunks;
      let chunk = select(all_own.x / KEYS + c - past_chunks, c, is_past) * KEYS;
      // Where a page or the own sequence begins.
      if (c == 0u || c == past_chunks || chunk % PAGE == 0u) {
        first_panel = panel_of(select(current, past_slot, is_past), chunk - chunk % PAGE, head);
      }
      let panel = first_panel + chunk % PAGE / 8u;
      let seen = select(vec4(a.own, b.own), vec4(a.past, b.past), is_past);
      add_chunk(panel, chunk, select(all_own, all_past, is_past), seen);
    }
    let at = (first_row * HEADS + head) * HEAD8;
    store_rows(0u, at, is_own_a, live);
    if (QUERIES == 2u && live > LANES) {
      store_rows(1u, at + LANES * HEADS * HEAD8, is_own_b, live - LANES);
    }
  }
}
