// What the network suggests for one position: a token, its confidence, the entropy.
//
//   p(v) ∝ exp(logit(v) / T), the mask excluded
//   top-k keeps every token at least as likely as the k-th; of what is left, in order of falling
//   probability, top-p keeps the tokens whose inclusive cumulative sum is at most top_p, always the
//   first, and with KEEPS_CROSSING the next one too; equals in order of their ids
//   token = the smallest v whose cumulative kept mass, in vocabulary order, exceeds uniform · total
//   confidence = kept p(token) / total; entropy = -Σ p ln p before the filters
//   T = 0: the most probable token (the lowest id of equals), confidence and entropy at T = 1
//
// logits: [heads of this chunk, VOCABULARY padded to 32] f32, heads FIRST_HEAD … of the pass; a loads
// fragment has them, and fn load_logits(at).
// proposals: one per head of the pass. One workgroup per head. Teams of 8 lanes walk neighbouring
// stretches of the row side by side, 8 tokens a lane and step: whole cache lines, in the order of
// the draw. One reading gives maximum, sum and entropy; the draw reads the stretch of its token once
// more. filters.wgsl adds its readings, and one for the sum over what it keeps.
// Source: BD3-LM, `_nucleus_sample` (the token that crosses p is dropped) and `_sample_categorical`
// (an inverse-CDF draw has the same distribution); confidence, and the token that crosses p kept:
// SDAR, `generate.py`. Sums while the maximum is still rising: Milakov & Gimelshein 2018, "Online normalizer calculation for softmax".

struct Params {
  first_head: u32,
}

override VOCABULARY: u32;
override MASK: u32;
// 1 where top-p keeps the token that crosses it, else 0.
override KEEPS_CROSSING: u32;
// Stands for the mask and for what pads the vocabulary.
const LOWEST = -3.0e38;
// exp of this is 0, as 0 times it is.
const WEIGHTLESS = -200.0;
const HUGE = 3.4028234e38;
const BELOW_ONE = 0.99999994;

@group(0) @binding(1) var<storage, read> heads: array<Head>;
@group(0) @binding(2) var<storage, read> counts: array<u32>;
@group(0) @binding(3) var<storage, read_write> proposals: array<Proposal>;
@group(0) @binding(4) var<storage, read> params: Params;

var<workgroup> claimed: Claim;

// One row as draws and filters see it. Columns are 8 tokens wide.
struct Row {
  start: u32,
  columns: u32,
  // Columns of one team; those of a lane are `first`, `first` + TEAM, … below `end`.
  stretch: u32,
  first: u32,
  end: u32,
  highest: f32,
  // 1 / T.
  sharpness: f32,
}

// The logits of what may be drawn.
fn drawable(first: u32, x: vec4<f32>) -> vec4<f32> {
  let ids = first + vec4(0u, 1u, 2u, 3u);
  return select(vec4(LOWEST), x, (ids < vec4(VOCABULARY)) & (ids != vec4(MASK)));
}

fn load(row: Row, column: u32) -> Octet {
  let x = load_logits(row.start + column);
  return Octet(drawable(column * 8u, x.low), drawable(column * 8u + 4u, x.high));
}

// ln of the weights, of which that of the most probable token is 1.
fn levels_of(row: Row, x: vec4<f32>) -> vec4<f32> {
  return max((x - row.highest) * row.sharpness, vec4(WEIGHTLESS));
}

fn weights_of(row: Row, x: vec4<f32>) -> vec4<f32> {
  return exp(levels_of(row, x));
}

fn total_of(x: vec4<f32>) -> f32 {
  return (x.x + x.y) + (x.z + x.w);
}

// What one reading of a row tells.
struct Summary {
  highest: f32,
  // Lowest id with the highest logit.
  best: u32,
  is_finite: bool,
  // Σ exp(level) and Σ level · exp(level).
  weight: f32,
  leveled: f32,
  // Where this lane's team stands in the sum of weights.
  spans: Spans,
}

fn summarize(lane: u32, given: Row) -> Summary {
  // With the highest logit so far.
  var row = given;
  var best = row.first;
  var weight = 0.0;
  var leveled = 0.0;
  var magnitudes = vec4(0u);
  for (var c = row.first; c < row.end; c += TEAM) {
    let x = load(row, c);
    // Without their signs.
    let bits = max(bitcast<vec4<u32>>(x.low) << vec4(1u), bitcast<vec4<u32>>(x.high) << vec4(1u));
    magnitudes = max(magnitudes, bits);
    let top = largest_of(max(x.low, x.high));
    best = select(best, c, top > row.highest);
    let before = row.highest;
    row.highest = max(before, top);
    let fall = levels_of(row, vec4(before)).x;
    let faded = exp(vec4(fall)).x;
    let a = levels_of(row, x.low);
    let b = levels_of(row, x.high);
    let weights_a = exp(a);
    let weights_b = exp(b);
    leveled = (leveled + fall * weight) * faded + total_of(weights_a * a + weights_b * b);
    weight = weight * faded + total_of(weights_a + weights_b);
  }
  let own = row.highest;
  let largest_bits = max(max(magnitudes.x, magnitudes.y), max(magnitudes.z, magnitudes.w));
  row.highest = largest_over_lanes(lane, own);
  let fall = levels_of(row, vec4(own)).x;
  let faded = exp(vec4(fall)).x;
  // The largest -id, or 1 where a lane met an infinity or NaN.
  let id = select(-f32(VOCABULARY), -f32(lowest_id(row, best)), own == row.highest);
  let flag = largest_over_lanes(lane, select(id, 1.0, largest_bits >= 0xff000000u));
  let spans = spans_over_lanes(lane, weight * faded);
  let all_leveled = spans_over_lanes(lane, (leveled + fall * weight) * faded).total;
  return Summary(row.highest, u32(max(-flag, 0.0)), flag <= 0.0, spans.total, all_leveled, spans);
}

// The first id with the highest logit, in a column that has one.
fn lowest_id(row: Row, column: u32) -> u32 {
  let x = load(row, min(column, row.columns - 1u));
  let is_left = any(x.low == vec4(row.highest));
  let half = select(x.high, x.low, is_left) == vec4(row.highest);
  let place = select(select(select(3u, 2u, half.z), 1u, half.y), 0u, half.x);
  return column * 8u + select(4u, 0u, is_left) + place;
}

// Shares of 8 neighbouring tokens in a draw.
fn shares_of(row: Row, kept: Kept, column: u32) -> Octet {
  let x = load(row, column);
  let ids = vec4(column * 8u) + vec4(0u, 1u, 2u, 3u);
  return Octet(
    select(vec4(0.0), weights_of(row, x.low), is_kept(kept, x.low, ids)),
    select(vec4(0.0), weights_of(row, x.high), is_kept(kept, x.high, ids + 4u)),
  );
}

fn is_kept(kept: Kept, x: vec4<f32>, ids: vec4<u32>) -> vec4<bool> {
  let is_early = (x >= vec4(kept.edge)) & (ids < vec4(kept.end));
  return ((x > vec4(kept.above)) | is_early) & (x <= vec4(kept.ceiling));
}

fn sum_shares(row: Row, kept: Kept) -> f32 {
  var sum = 0.0;
  for (var c = row.first; c < row.end; c += TEAM) {
    let shares = shares_of(row, kept, c);
    sum += total_of(shares.low + shares.high);
  }
  return sum;
}

// How the token that holds a point of the sum of shares is found: its team, then its lane.
struct Claim {
  team: u32,
  // The point, from the begin of the team's span on.
  aim: f32,
  token: u32,
  share: f32,
}

// The first token whose cumulative share, in vocabulary order, exceeds `aim`, which is below the
// total. `spans` are the teams' sums of shares.
fn find(lane: u32, row: Row, kept: Kept, spans: Spans, aim: f32) -> Claim {
  if (lane % TEAM == 0u && spans.team_begin <= aim && aim < spans.team_end) {
    claimed = Claim(lane / TEAM, aim - spans.team_begin, 0u, 0.0);
  }
  let owner = workgroupUniformLoad(&claimed);
  // Every lane takes some neighbouring columns of that team.
  let width = (row.stretch + LANES - 1u) / LANES;
  let begin = min(owner.team * row.stretch + lane * width, row.columns);
  let end = min(min(begin + width, (owner.team + 1u) * row.stretch), row.columns);
  var sum = 0.0;
  for (var c = begin; c < end; c++) {
    let shares = shares_of(row, kept, c);
    sum += total_of(shares.low + shares.high);
  }
  let inner = spans_over_lanes(lane, sum);
  // The same shares in another order: rounding may leave the aim just above the last sum.
  let goal = min(owner.aim, inner.total * BELOW_ONE);
  if (inner.begin <= goal && goal < inner.end) {
    claimed = pick(row, kept, vec2(begin, end), goal - inner.begin);
  }
  return workgroupUniformLoad(&claimed);
}

// Of some columns, the first token whose cumulative share exceeds `aim`, or the last that has one.
fn pick(row: Row, kept: Kept, columns: vec2<u32>, aim: f32) -> Claim {
  var found = Claim(0u, aim, 0u, 0.0);
  var sum = 0.0;
  for (var c = columns.x; c < columns.y && sum <= aim; c++) {
    let shares = shares_of(row, kept, c);
    for (var i = 0u; i < 8u; i++) {
      let share = select(shares.low, shares.high, i >= 4u)[i % 4u];
      if (share > 0.0 && sum <= aim) {
        found.token = c * 8u + i;
        found.share = share;
        sum += share;
      }
    }
  }
  return found;
}

@compute @workgroup_size(LANES)
fn propose(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let result = params.first_head + group.x;
  if (result >= counts[1]) {
    return;
  }
  let head = heads[result];
  var row = row_of(lane, group.x, select(head.temperature, 1.0, head.temperature == 0.0));
  let summary = summarize(lane, row);
  row.highest = summary.highest;
  let entropy = max(log(summary.weight) - summary.leveled / summary.weight, 0.0);

  // A nucleus smaller than the most probable token is that token, whatever top-k leaves.
  let is_one = head.temperature > 0.0 && summary.weight * head.top_p < 1.0;
  if (!summary.is_finite || head.temperature == 0.0 || is_one) {
    if (lane == 0u) {
      let confidence = select(1.0 / summary.weight, 1.0, is_one);
      let is_finite = select(0u, 1u, summary.is_finite);
      proposals[result] = Proposal(summary.best, confidence, entropy, is_finite);
    }
    return;
  }

  var kept = Kept(HUGE, value_of(LEAST_KEY), HUGE, VOCABULARY, 0u);
  var spans = summary.spans;
  let is_filtered = head.top_k > 0u || head.top_p < 1.0;
  if (is_filtered) {
    kept = filtered(lane, row, summary, head);
  }
  var drawn: Claim;
  // First, where it takes a search, the end of the kept tokens at the edge; then the draw.
  for (var i = select(1u, 0u, kept.ties > 0u); i < 2u; i++) {
    let is_draw = i == 1u;
    var drawn_row = row;
    var candidates = kept;
    if (!is_draw) {
      // Each token at the edge counts 1.
      drawn_row.sharpness = 0.0;
      candidates = Kept(HUGE, kept.edge, kept.above, VOCABULARY, 0u);
    }
    if (is_filtered) {
      spans = spans_over_lanes(lane, sum_shares(drawn_row, candidates));
    }
    let aim = select(f32(kept.ties), head.uniform_draw * spans.total, is_draw);
    drawn = find(lane, drawn_row, candidates, spans, aim);
    if (!is_draw) {
      kept.end = select(VOCABULARY, drawn.token, aim < spans.total);
    }
  }
  if (lane == 0u) {
    proposals[result] = Proposal(drawn.token, drawn.share / spans.total, entropy, 1u);
  }
}

fn row_of(lane: u32, index: u32, temperature: f32) -> Row {
  let columns = (VOCABULARY + 31u) / 32u * 4u;
  // Whole steps of a team, so that its loads begin at cache lines.
  let stretch = (columns + LANES - 1u) / LANES * TEAM;
  let begin = lane / TEAM * stretch;
  let end = min(begin + stretch, columns);
  let sharpness = min(1.0 / temperature, HUGE);
  return Row(index * columns, columns, stretch, begin + lane % TEAM, end, LOWEST, sharpness);
}
