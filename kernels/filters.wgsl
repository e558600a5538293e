// Fragment: which tokens of a row top-k and top-p keep; for propose.wgsl.
//
//   S(b) = Σ over tokens v with logit(v) >= b of 1 (top-k) or of exp(level(v)) (top-p)
//   edge = the largest b with S(b) > limit;  limit = k - 1, or top_p · S over what top-k keeps
//
// top-k keeps the logits from the edge on; top-p those above it, and of those at it the first for
// which there is room, and with KEEPS_CROSSING one more. S falls as b rises. So each round reads the
// row once and measures S exactly, in one fixed order, at 16 bounds inside the bracket that holds the
// edge: first where the row's mass lies, then crowding around where the edge would be if the tokens
// lay evenly in the bracket. Four or five rounds leave one token of a usual row. What is left after 8
// is many equals, or a trap: then rounds split the bit patterns evenly, which ends for any row.

// Tokens with logits in (above, ceiling] are kept, and of those in [edge, ceiling] the ones with ids
// before `end`. Strict where the next float may be one that a device takes for 0.
struct Kept {
  above: f32,
  edge: f32,
  ceiling: f32,
  end: u32,
  // If not 0, `end` has to be found: it follows so many tokens at the edge.
  ties: u32,
}

// The edge is in [low, high), which are sort keys; with S at both.
struct Bracket {
  low: u32,
  high: u32,
  low_sum: f32,
  high_sum: f32,
}

// What is searched, and how far the search is.
struct Search {
  by_weight: bool,
  limit: f32,
  round: u32,
  is_over: bool,
}

struct Bounds {
  a: vec4<u32>,
  b: vec4<u32>,
  c: vec4<u32>,
  d: vec4<u32>,
}

struct Sixteen {
  a: vec4<f32>,
  b: vec4<f32>,
  c: vec4<f32>,
  d: vec4<f32>,
}

// Rounds by value, before bit patterns are split at 17 to 1.
const VALUE_ROUNDS = 8u;
const MAX_ROUNDS = VALUE_ROUNDS + 8u;
// Of the logit after LOWEST.
const LEAST_KEY = 0x9e4e1au;
// A token of this share of S or more stands out of its rounding.
const DISTINCT = 2e-6;

var<workgroup> partial: array<vec4<f32>, LANES * 4u>;

// Integers in the order of the floats.
fn keys_of(x: vec4<f32>) -> vec4<u32> {
  // Zeros of both signs are equal; adding 0 would be optimised away.
  let bits = bitcast<vec4<u32>>(select(x, vec4(0.0), x == vec4(0.0)));
  return select(bits | vec4(0x80000000u), ~bits, (bits >> vec4(31u)) == vec4(1u));
}

fn values_of(keys: vec4<u32>) -> vec4<f32> {
  return bitcast<vec4<f32>>(select(~keys, keys ^ vec4(0x80000000u), keys >= vec4(0x80000000u)));
}

fn key_of(x: f32) -> u32 {
  return keys_of(vec4(x)).x;
}

fn value_of(key: u32) -> f32 {
  return values_of(vec4(key)).x;
}

fn filtered(lane: u32, row: Row, summary: Summary, head: Head) -> Kept {
  // How far the mean logit, by weight, is below the highest.
  let spread = max(-summary.leveled / summary.weight, 0.0) / row.sharpness;
  let takes_k = head.top_k > 0u && head.top_k < VOCABULARY - 1u;
  var bracket = Bracket(LEAST_KEY, 0u, 0.0, 0.0);
  var search: Search;
  // First top-k, then top-p.
  for (var i = select(1u, 0u, takes_k); i < select(1u, 2u, head.top_p < 1.0); i++) {
    search = Search(i == 1u, select(f32(head.top_k) - 1.0, head.top_p, i == 1u), 0u, false);
    // Below, tokens weigh nothing.
    let lightest = key_of(row.highest + WEIGHTLESS / row.sharpness);
    let floor_key = max(bracket.low, select(LEAST_KEY, lightest, search.by_weight));
    bracket = Bracket(floor_key, key_of(row.highest) + 1u, HUGE, 0.0);
    while (!search.is_over) {
      let keys = bounds_of(row, search, bracket, spread);
      let sums = measure(lane, row, keys, search.by_weight);
      if (search.by_weight && search.round == 0u) {
        // The last bound is the floor.
        search.limit *= sums.d.w;
      }
      bracket = narrowed(bracket, keys.a, sums.a, search.limit);
      bracket = narrowed(bracket, keys.b, sums.b, search.limit);
      bracket = narrowed(bracket, keys.c, sums.c, search.limit);
      bracket = narrowed(bracket, keys.d, sums.d, search.limit);
      search.round += 1u;
      search.is_over = is_decided(row, search, bracket) || search.round == MAX_ROUNDS;
    }
  }
  if (head.top_p >= 1.0) {
    return Kept(HUGE, value_of(bracket.low), HUGE, VOCABULARY, 0u);
  }
  return nucleus_of(row, summary, bracket, search.limit);
}

fn nucleus_of(row: Row, summary: Summary, bracket: Bracket, limit: f32) -> Kept {
  var kept = Kept(value_of(bracket.high - 1u), value_of(bracket.low), HUGE, 0u, 0u);
  if (bracket.high - bracket.low > 1u) {
    // One token is left in the bracket, and it crosses top_p.
    kept.end = KEEPS_CROSSING * VOCABULARY;
    return kept;
  }
  let room = (limit - bracket.high_sum) / weights_of(row, vec4(kept.edge)).x;
  let is_best = kept.edge == row.highest;
  let fitting = u32(clamp(room, 0.0, f32(VOCABULARY))) + KEEPS_CROSSING;
  kept.ties = max(fitting, select(0u, 1u, is_best));
  if (is_best && kept.ties == 1u) {
    kept.end = summary.best + 1u;
    kept.ties = 0u;
  }
  return kept;
}

fn bounds_of(row: Row, search: Search, bracket: Bracket, spread: f32) -> Bounds {
  let n = vec4(0u, 1u, 2u, 3u);
  let guess = guess_of(row, search, bracket);
  let aim = Aim(spread, value_of(bracket.low), value_of(bracket.high), guess);
  var bounds = Bounds(
    some_bounds(row, search, bracket, aim, n),
    some_bounds(row, search, bracket, aim, n + 4u),
    some_bounds(row, search, bracket, aim, n + 8u),
    some_bounds(row, search, bracket, aim, n + 12u),
  );
  if (search.round == 0u) {
    bounds.d.w = bracket.low;
  }
  return bounds;
}

// What the bounds of a round go by: the spread for those of the first, the ends of the bracket as
// logits and a guess for the others.
struct Aim {
  spread: f32,
  low: f32,
  high: f32,
  guess: f32,
}

// Where in the bracket the edge is if the tokens lie evenly there.
fn guess_of(row: Row, search: Search, bracket: Bracket) -> f32 {
  let share = (bracket.low_sum - search.limit) / (bracket.low_sum - bracket.high_sum);
  let width = value_of(bracket.high) - value_of(bracket.low);
  let rise = min(width * row.sharpness, 20.0);
  let is_curved = search.by_weight && rise > 0.01;
  let curved = log(1.0 + share * (exp(rise) - 1.0)) / rise;
  return clamp(select(share, curved, is_curved), 0.0, 1.0);
}

// The bounds numbered `n`: inside the bracket, so that each round makes it smaller.
fn some_bounds(
  row: Row,
  search: Search,
  bracket: Bracket,
  aim: Aim,
  n: vec4<u32>,
) -> vec4<u32> {
  let last = vec4(bracket.high - 1u);
  let first = min(vec4(bracket.low + 1u), last);
  if (search.round >= VALUE_ROUNDS) {
    let width = bracket.high - bracket.low;
    let parts = vec4(width / 17u) * (n + 1u) + vec4(width % 17u) * (n + 1u) / 17u;
    return clamp(vec4(bracket.low) + parts, first, last);
  }
  let x = vec4<f32>(n);
  // The highest logit, then ever wider steps, up to 7.7 times the spread.
  let falling = vec4(row.highest) - aim.spread * x * (x + 8.0) / 40.0;
  // Bounds that crowd around the guess.
  let off = (x + 1.0) / 17.0 - aim.guess;
  let room = select(vec4(1.0 - aim.guess), vec4(aim.guess), off < vec4(0.0));
  let part = clamp(vec4(aim.guess) + off * abs(off) / room, vec4(0.0), vec4(1.0));
  let crowded = aim.low * (1.0 - part) + aim.high * part;
  return clamp(keys_of(select(crowded, falling, search.round == 0u)), first, last);
}

fn measure(lane: u32, row: Row, keys: Bounds, by_weight: bool) -> Sixteen {
  let bounds = Sixteen(values_of(keys.a), values_of(keys.b), values_of(keys.c), values_of(keys.d));
  var counted = row;
  // Of 0, all weights are 1.
  counted.sharpness = select(0.0, row.sharpness, by_weight);
  var sums: Sixteen;
  for (var c = row.first; c < row.end; c += TEAM) {
    let x = load(row, c);
    let a = weights_of(counted, x.low);
    let b = weights_of(counted, x.high);
    sums = add(add(sums, bounds, x.low.x, a.x), bounds, x.high.x, b.x);
    sums = add(add(sums, bounds, x.low.y, a.y), bounds, x.high.y, b.y);
    sums = add(add(sums, bounds, x.low.z, a.z), bounds, x.high.z, b.z);
    sums = add(add(sums, bounds, x.low.w, a.w), bounds, x.high.w, b.w);
  }
  return sum_over_lanes(lane, sums);
}

fn add(sums: Sixteen, bounds: Sixteen, x: f32, share: f32) -> Sixteen {
  let shares = vec4(share);
  return Sixteen(
    sums.a + select(vec4(0.0), shares, vec4(x) >= bounds.a),
    sums.b + select(vec4(0.0), shares, vec4(x) >= bounds.b),
    sums.c + select(vec4(0.0), shares, vec4(x) >= bounds.c),
    sums.d + select(vec4(0.0), shares, vec4(x) >= bounds.d),
  );
}

fn sum_over_lanes(lane: u32, sums: Sixteen) -> Sixteen {
  partial[4u * lane] = sums.a;
  partial[4u * lane + 1u] = sums.b;
  partial[4u * lane + 2u] = sums.c;
  partial[4u * lane + 3u] = sums.d;
  workgroupBarrier();
  // Four to one; the lanes share what is left of each lane's vectors.
  for (var width = LANES; width >= 4u; width /= 4u) {
    if (lane < width) {
      partial[lane] = (partial[lane] + partial[lane + width]) +
        (partial[lane + 2u * width] + partial[lane + 3u * width]);
    }
    workgroupBarrier();
  }
  let all = Sixteen(partial[0], partial[1], partial[2], partial[3]);
  // The next sums may overwrite these.
  workgroupBarrier();
  return all;
}

// Whether all that is left in the bracket is a single logit, or is kept as exactly k tokens are, or
// is a single token, which crosses top_p.
fn is_decided(row: Row, search: Search, bracket: Bracket) -> bool {
  // No token in the bracket weighs less.
  let least = weights_of(row, vec4(value_of(bracket.low))).x;
  let inside = bracket.low_sum - bracket.high_sum;
  let is_alone = inside < 1.5 * least && least > DISTINCT * bracket.low_sum;
  let is_exact = select(bracket.low_sum <= search.limit + 1.0, is_alone, search.by_weight);
  return is_exact || bracket.high - bracket.low <= 1u;
}

// The bracket between the bounds next to the edge.
fn narrowed(bracket: Bracket, keys: vec4<u32>, sums: vec4<f32>, limit: f32) -> Bracket {
  let is_low = sums > vec4(limit);
  let lows = select(vec4(bracket.low), keys, is_low);
  let highs = select(keys, vec4(bracket.high), is_low);
  let low_sums = select(vec4(bracket.low_sum), sums, is_low);
  let high_sums = select(sums, vec4(bracket.high_sum), is_low);
  return Bracket(
    max(bracket.low, max(max(lows.x, lows.y), max(lows.z, lows.w))),
    min(bracket.high, min(min(highs.x, highs.y), min(highs.z, highs.w))),
    min(bracket.low_sum, -largest_of(-low_sums)),
    max(bracket.high_sum, largest_of(high_sums)),
  );
}
