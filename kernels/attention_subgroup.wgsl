// What attention.wgsl computes, to the bit, on devices whose subgroups have 8 lanes and which load 32
// bytes at a time. A lane takes a row; to load KEYS keys, lane i loads two neighbours' octet i / 2 of
// four, and all get all by broadcast: on a software adapter a load costs as much as fifty
// multiplications.
//
// Rows of several sequences may meet in a subgroup: it goes over the keys of one sequence at a time,
// over all that any of its rows sees, of which those that a row does not see have no effect on it. Rows
// of one sequence see ranges that overlap or meet, as those of a pass do, and one and the same past.

const LANES = 8u;

// The octet that this lane loads of four, and of which of the two pairs of keys.
var<private> own_octet: u32;
var<private> own_pair: u32;

// Whether any row sees the even and the odd key that this lane loads.
var<private> is_seen: vec2<bool>;

// Adds four octets of KEYS keys to the scores.
fn add_scores(panel: u32, octet: u32, place: u32) {
  let part = load_keys(panel, octet + own_octet, place / 2u + own_pair);
  add_score(0u, octet, subgroupBroadcast(part.even.low, 0u), subgroupBroadcast(part.even.high, 0u));
  add_score(1u, octet, subgroupBroadcast(part.odd.low, 0u), subgroupBroadcast(part.odd.high, 0u));
  add_score(2u, octet, subgroupBroadcast(part.even.low, 1u), subgroupBroadcast(part.even.high, 1u));
  add_score(3u, octet, subgroupBroadcast(part.odd.low, 1u), subgroupBroadcast(part.odd.high, 1u));
  add_score(0u, octet + 1u, subgroupBroadcast(part.even.low, 2u), subgroupBroadcast(part.even.high, 2u));
  add_score(1u, octet + 1u, subgroupBroadcast(part.odd.low, 2u), subgroupBroadcast(part.odd.high, 2u));
  add_score(2u, octet + 1u, subgroupBroadcast(part.even.low, 3u), subgroupBroadcast(part.even.high, 3u));
  add_score(3u, octet + 1u, subgroupBroadcast(part.odd.low, 3u), subgroupBroadcast(part.odd.high, 3u));
  add_score(0u, octet + 2u, subgroupBroadcast(part.even.low, 4u), subgroupBroadcast(part.even.high, 4u));
  add_score(1u, octet + 2u, subgroupBroadcast(part.odd.low, 4u), subgroupBroadcast(part.odd.high, 4u));
  add_score(2u, octet + 2u, subgroupBroadcast(part.even.low, 5u), subgroupBroadcast(part.even.high, 5u));
  add_score(3u, octet + 2u, subgroupBroadcast(part.odd.low, 5u), subgroupBroadcast(part.odd.high, 5u));
  add_score(0u, octet + 3u, subgroupBroadcast(part.even.low, 6u), subgroupBroadcast(part.even.high, 6u));
  add_score(1u, octet + 3u, subgroupBroadcast(part.odd.low, 6u), subgroupBroadcast(part.odd.high, 6u));
  add_score(2u, octet + 3u, subgroupBroadcast(part.even.low, 7u), subgroupBroadcast(part.even.high, 7u));
  add_score(3u, octet + 3u, subgroupBroadcast(part.odd.low, 7u), subgroupBroadcast(part.odd.high, 7u));
}

fn where_seen(loaded: Octet, is_seen: bool) -> Octet {
  return Octet(select(vec4(0.0), loaded.low, is_seen), select(vec4(0.0), loaded.high, is_seen));
}

// Adds four octets of KEYS values, times what by now are weights. What no row sees may be anything, NaN
// included: it must not be multiplied by zero.
fn add_values(panel: u32, octet: u32, place: u32) {
  let loaded = load_values(panel, octet + own_octet, place / 2u + own_pair);
  let part =
    Neighbours(where_seen(loaded.even, is_seen.x), where_seen(loaded.odd, is_seen.y));
  add_value(0u, octet, subgroupBroadcast(part.even.low, 0u), subgroupBroadcast(part.even.high, 0u));
  add_value(1u, octet, subgroupBroadcast(part.odd.low, 0u), subgroupBroadcast(part.odd.high, 0u));
  add_value(2u, octet, subgroupBroadcast(part.even.low, 1u), subgroupBroadcast(part.even.high, 1u));
  add_value(3u, octet, subgroupBroadcast(part.odd.low, 1u), subgroupBroadcast(part.odd.high, 1u));
  add_value(0u, octet + 1u, subgroupBroadcast(part.even.low, 2u), subgroupBroadcast(part.even.high, 2u));
  add_value(1u, octet + 1u, subgroupBroadcast(part.odd.low, 2u), subgroupBroadcast(part.odd.high, 2u));
  add_value(2u, octet + 1u, subgroupBroadcast(part.even.low, 3u), subgroupBroadcast(part.even.high, 3u));
  add_value(3u, octet + 1u, subgroupBroadcast(part.odd.low, 3u), subgroupBroadcast(part.odd.high, 3u));
  add_value(0u, octet + 2u, subgroupBroadcast(part.even.low, 4u), subgroupBroadcast(part.even.high, 4u));
  add_value(1u, octet + 2u, subgroupBroadcast(part.odd.low, 4u), subgroupBroadcast(part.odd.high, 4u));
  add_value(2u, octet + 2u, subgroupBroadcast(part.even.low, 5u), subgroupBroadcast(part.even.high, 5u));
  add_value(3u, octet + 2u, subgroupBroadcast(part.odd.low, 5u), subgroupBroadcast(part.odd.high, 5u));
  add_value(0u, octet + 3u, subgroupBroadcast(part.even.low, 6u), subgroupBroadcast(part.even.high, 6u));
  add_value(1u, octet + 3u, subgroupBroadcast(part.odd.low, 6u), subgroupBroadcast(part.odd.high, 6u));
  add_value(2u, octet + 3u, subgroupBroadcast(part.even.low, 7u), subgroupBroadcast(part.even.high, 7u));
  add_value(3u, octet + 3u, subgroupBroadcast(part.odd.low, 7u), subgroupBroadcast(part.odd.high, 7u));
}

@compute @workgroup_size(LANES)
fn attention_subgroup(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let live = live_rows();
  let row = group.x * LANES + lane;
  let head = group.y;
  if (group.x * LANES >= live) {
    return;
  }
  own_octet = lane / 2u;
  own_pair = lane % 2u;
  var asked = 0u;
  var slot = NONE;
  // What this lane's row sees of its own sequence, and of its past.
  var own = vec2(0u);
  var past = vec2(0u);
  var past_slot = 0u;
  if (row < live) {
    asked = source_row(row);
    slot = rows[asked].slot;
    own = vec2(rows[asked].first, rows[asked].end);
    past.y = rows[asked].past_end;
    past_slot = rows[asked].past_slot;
  }

  // Sequences by their slots, from the lowest to the highest. Rows of the others come along, and what
  // they sum is dropped.
  var next = 0u;
  loop {
    let current = subgroupMin(select(NONE, slot, slot >= next));
    if (current == NONE) {
      break;
    }
    next = current + 1u;
    let is_own = slot == current;
    // What any of its rows sees.
    let all_own = vec2(
      subgroupMin(select(NONE, own.x, is_own)),
      subgroupMax(select(0u, own.y, is_own)),
    );
    let all_past = vec2(0u, subgroupMax(select(0u, past.y, is_own)));
    let shared_past = subgroupMax(select(0u, past_slot, is_own));
    let past_chunks = chunks_of(all_past);
    let chunks = past_chunks + chunks_of(all_own);
    load_query(asked, head);
    for (var c = 0u; c < chunks; c++) {
      let is_past = c < past_chunks;
      let chunk = select(all_own.x / KEYS + c - past_chunks, c, is_past) * KEYS;
      let panel = panel_of(select(current, shared_past, is_past), chunk, head);
      let key = chunk + 2u * own_pair;
      let all = select(all_own, all_past, is_past);
      score = array<f32, KEYS>();
      add_all_scores(panel, chunk % 8u);
      weigh(chunk, select(own, past, is_past));
      is_seen = (vec2(key, key + 1u) >= all.xx) & (vec2(key, key + 1u) < all.yy);
      add_all_values(panel, chunk % 8u);
    }
    if (is_own) {
      for (var octet = 0u; octet < HEAD8; octet++) {
        store_o((row * HEADS + head) * HEAD8 + octet, result(octet, total));
      }
    }
  }
}
