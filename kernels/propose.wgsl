// What the network suggests for one position: a token, its confidence, the entropy.
//
//   p(v) ∝ exp(logit(v) / T), the mask excluded
//   top-k keeps every token at least as likely as the k-th; of what is left, in order of falling
//   probability, top-p keeps the tokens whose inclusive cumulative sum is at most top_p, always the
//   first; equals in order of their ids
//   token = the smallest v whose cumulative kept mass, in vocabulary order, exceeds uniform · total
//   confidence = kept p(token) / total; entropy = -Σ p ln p before the filters
//   T = 0: the most probable token (the lowest id of equals), confidence and entropy at T = 1
//
// logits: [heads of this chunk, VOCABULARY padded to 8] f32, heads FIRST_HEAD … of the pass.
// proposals: one per head of the pass. One workgroup per head. The bounds of both filters are found
// by a search over the bits of the logits, two a round, each round one exact count or sum over all.
// Source: BD3-LM, `_nucleus_sample` (the token that crosses p is dropped) and `_sample_categorical`
// (an inverse-CDF draw has the same distribution); confidence: SDAR, `generate.py`.

struct Params {
  first_head: u32,
}

override VOCABULARY: u32;
override MASK: u32;
const LANES = 128u;
const LOWEST = -3.0e38;

@group(0) @binding(0) var<storage, read> logits: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> heads: array<Head>;
@group(0) @binding(2) var<storage, read> counts: array<u32>;
@group(0) @binding(3) var<storage, read_write> proposals: array<Proposal>;
@group(0) @binding(4) var<uniform> params: Params;

var<workgroup> partial: array<vec4<f32>, LANES>;
var<workgroup> partial_id: array<u32, LANES>;
var<workgroup> lane_ties: array<u32, LANES>;
var<workgroup> lane_mass: array<f32, LANES>;
var<workgroup> total_mass: f32;

fn sum_over_lanes(lane: u32, value: vec4<f32>) -> vec4<f32> {
  partial[lane] = value;
  workgroupBarrier();
  for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
    if (lane < stride) {
      partial[lane] += partial[lane + stride];
    }
    workgroupBarrier();
  }
  return workgroupUniformLoad(&partial[0]);
}

// 4 logits of one row, LOWEST for the mask and for what pads the vocabulary.
fn load(start: u32, column4: u32) -> vec4<f32> {
  let ids = column4 * 4u + vec4(0u, 1u, 2u, 3u);
  let drawable = (ids < vec4(VOCABULARY)) & (ids != vec4(MASK));
  return select(vec4(LOWEST), logits[start + column4], drawable);
}

// Integers in the order of the floats.
fn sort_key(x: vec4<f32>) -> vec4<u32> {
  let bits = bitcast<vec4<u32>>(x + 0.0);
  return select(bits | vec4(0x80000000u), ~bits, (bits >> vec4(31u)) == vec4(1u));
}

fn is_finite(x: vec4<f32>) -> bool {
  return all((bitcast<vec4<u32>>(x) & vec4(0x7f800000u)) != vec4(0x7f800000u));
}

// One row as the filters see it.
struct Row4 {
  start: u32,
  columns4: u32,
  highest: f32,
  temperature: f32,
}

fn weight_of(row: Row4, x: vec4<f32>) -> vec4<f32> {
  return select(exp((x - row.highest) / row.temperature), vec4(0.0), x == vec4(LOWEST));
}

// Sums over the tokens with keys of at least each bound: their number, or their weight among those
// with keys of at least `floor_key`.
fn measure(lane: u32, row: Row4, bounds: vec3<u32>, floor_key: u32, by_weight: bool) -> vec3<f32> {
  var sums = vec3(0.0);
  for (var c = lane; c < row.columns4; c += LANES) {
    let x = load(row.start, c);
    let keys = sort_key(x);
    let number = select(vec4(0.0), vec4(1.0), x != vec4(LOWEST));
    let weight = select(number, weight_of(row, x), by_weight);
    let counted = select(vec4(0.0), weight, keys >= vec4(floor_key));
    sums += vec3(
      dot(select(vec4(0.0), counted, keys >= vec4(bounds.x)), vec4(1.0)),
      dot(select(vec4(0.0), counted, keys >= vec4(bounds.y)), vec4(1.0)),
      dot(select(vec4(0.0), counted, keys >= vec4(bounds.z)), vec4(1.0)),
    );
  }
  return sum_over_lanes(lane, vec4(sums, 0.0)).xyz;
}

// The largest key that at least `k` tokens reach.
fn top_k_bound(lane: u32, row: Row4, k: u32) -> u32 {
  var bound = 0u;
  for (var shift = 30u; shift <= 30u; shift -= 2u) {
    let bounds = vec3(bound) + (vec3(1u, 2u, 3u) << vec3(shift));
    let reached = measure(lane, row, bounds, 0u, false) >= vec3(f32(k));
    bound += u32(dot(select(vec3(0.0), vec3(1.0), reached), vec3(1.0))) << shift;
  }
  return bound;
}

// The largest key whose tokens, with all above, weigh more than `mass`: the keys above it are kept.
fn top_p_bound(lane: u32, row: Row4, floor_key: u32, mass: f32) -> u32 {
  var bound = 0u;
  for (var shift = 30u; shift <= 30u; shift -= 2u) {
    let bounds = vec3(bound) + (vec3(1u, 2u, 3u) << vec3(shift));
    let above = measure(lane, row, bounds, floor_key, true) > vec3(mass);
    bound += u32(dot(select(vec3(0.0), vec3(1.0), above), vec3(1.0))) << shift;
  }
  return bound;
}

struct Kept {
  // Tokens with keys above `edge` are kept, and the first `ties` of those at it.
  edge: u32,
  ties: u32,
}

fn filtered(lane: u32, row: Row4, head: Head) -> Kept {
  var floor_key = 0u;
  if (head.top_k > 0u && head.top_k < VOCABULARY - 1u) {
    floor_key = top_k_bound(lane, row, head.top_k);
  }
  if (head.top_p >= 1.0) {
    // All tokens at the floor tie and are kept.
    return Kept(floor_key, 0xffffffffu);
  }
  let total = measure(lane, row, vec3(floor_key), floor_key, true).x;
  let mass = total * head.top_p;
  let edge = top_p_bound(lane, row, floor_key, mass);
  let above = measure(lane, row, vec3(edge + 1u), floor_key, true).x;
  // Weight of one token at the edge: all at it together over their number.
  let at_edge = measure(lane, row, vec3(edge), floor_key, true).x - above;
  let number = measure(lane, row, vec3(edge, edge + 1u, edge + 1u), floor_key, false);
  let each = at_edge / max(number.x - number.y, 1.0);
  let ties = u32(max((mass - above) / each, 0.0));
  return Kept(edge, select(ties, max(ties, 1u), number.y == 0.0));
}

// Weights of 4 neighbouring tokens after the filters, given how many ties came before them.
fn kept_weight(row: Row4, kept: Kept, x: vec4<f32>, ties_before: u32) -> vec4<f32> {
  let keys = sort_key(x);
  let tied = select(vec4(0u), vec4(1u), (keys == vec4(kept.edge)) & (x != vec4(LOWEST)));
  let rank = vec4(ties_before) +
    vec4(0u, tied.x, tied.x + tied.y, tied.x + tied.y + tied.z);
  let is_kept = (keys > vec4(kept.edge)) | ((tied == vec4(1u)) & (rank < vec4(kept.ties)));
  return select(vec4(0.0), weight_of(row, x), is_kept);
}

fn ties_in(kept: Kept, x: vec4<f32>) -> u32 {
  let tied = select(vec4(0u), vec4(1u), (sort_key(x) == vec4(kept.edge)) & (x != vec4(LOWEST)));
  return tied.x + tied.y + tied.z + tied.w;
}

// Inverse CDF in vocabulary order. Lanes own neighbouring stretches of the vocabulary.
fn draw(lane: u32, row: Row4, kept: Kept, uniform_draw: f32, result: u32, entropy: f32) {
  let stretch = (row.columns4 + LANES - 1u) / LANES;
  let begin = min(lane * stretch, row.columns4);
  let end = min(begin + stretch, row.columns4);

  var ties = 0u;
  for (var c = begin; c < end; c++) {
    ties += ties_in(kept, load(row.start, c));
  }
  lane_ties[lane] = ties;
  workgroupBarrier();
  ties = 0u;
  for (var other = 0u; other < lane; other++) {
    ties += lane_ties[other];
  }
  var mass = 0.0;
  var ties_before = ties;
  for (var c = begin; c < end; c++) {
    let x = load(row.start, c);
    mass += dot(kept_weight(row, kept, x, ties_before), vec4(1.0));
    ties_before += ties_in(kept, x);
  }
  lane_mass[lane] = mass;
  workgroupBarrier();
  if (lane == 0u) {
    // From masses to cumulative sums, and to a claim by the one lane that holds the drawn token.
    var sum = 0.0;
    for (var other = 0u; other < LANES; other++) {
      let own = lane_mass[other];
      lane_mass[other] = sum;
      sum += own;
    }
    total_mass = sum;
    let aim = uniform_draw * sum;
    var owner = 0u;
    for (var other = 0u; other < LANES; other++) {
      // Stretches that hold nothing begin where the next does: the last that begins at or before the
      // aim and has mass owns it.
      let next = select(sum, lane_mass[min(other + 1u, LANES - 1u)], other + 1u < LANES);
      if (lane_mass[other] <= aim && next > lane_mass[other]) {
        owner = other;
      }
    }
    partial_id[0] = owner;
  }
  workgroupBarrier();
  if (lane != partial_id[0]) {
    return;
  }
  let aim = uniform_draw * total_mass;
  var sum = lane_mass[lane];
  var token = 0u;
  var chosen = 0.0;
  var is_found = false;
  for (var c = begin; c < end && !is_found; c++) {
    let x = load(row.start, c);
    let weights = kept_weight(row, kept, x, ties);
    ties += ties_in(kept, x);
    for (var i = 0u; i < 4u && !is_found; i++) {
      if (weights[i] > 0.0) {
        // Rounding may leave the aim just above the last sum: then the last kept token is drawn.
        token = c * 4u + i;
        chosen = weights[i];
        sum += weights[i];
        is_found = sum > aim;
      }
    }
  }
  proposals[result] = Proposal(token, chosen / total_mass, entropy, 1u);
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
  let columns4 = (VOCABULARY + 7u) / 8u * 2u;
  let start = group.x * columns4;

  var highest = LOWEST;
  var id = 0u;
  var finite = true;
  for (var c = lane; c < columns4; c += LANES) {
    let x = load(start, c);
    finite = finite && is_finite(x);
    for (var i = 0u; i < 4u; i++) {
      if (x[i] > highest) {
        highest = x[i];
        id = c * 4u + i;
      }
    }
  }
  partial[lane] = vec4(highest, select(1.0, 0.0, finite), 0.0, 0.0);
  partial_id[lane] = id;
  workgroupBarrier();
  for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
    if (lane < stride) {
      let other = partial[lane + stride];
      let other_id = partial_id[lane + stride];
      let own = partial[lane];
      if (other.x > own.x || (other.x == own.x && other_id < partial_id[lane])) {
        partial[lane].x = other.x;
        partial_id[lane] = other_id;
      }
      partial[lane].y = own.y + other.y;
    }
    workgroupBarrier();
  }
  let best = workgroupUniformLoad(&partial[0]);
  let best_id = workgroupUniformLoad(&partial_id[0]);
  if (best.y > 0.0) {
    if (lane == 0u) {
      proposals[result] = Proposal(0u, 0.0, 0.0, 0u);
    }
    return;
  }

  let row = Row4(start, columns4, best.x, select(head.temperature, 1.0, head.temperature == 0.0));
  var sums = vec4(0.0);
  for (var c = lane; c < columns4; c += LANES) {
    let x = load(start, c);
    let weights = weight_of(row, x);
    let levels = select((x - row.highest) / row.temperature, vec4(0.0), x == vec4(LOWEST));
    sums += vec4(dot(weights, vec4(1.0)), dot(weights, levels), 0.0, 0.0);
  }
  sums = sum_over_lanes(lane, sums);
  let entropy = max(log(sums.x) - sums.y / sums.x, 0.0);

  if (head.temperature == 0.0) {
    if (lane == 0u) {
      proposals[result] = Proposal(best_id, 1.0 / sums.x, entropy, 1u);
    }
    return;
  }
  draw(lane, row, filtered(lane, row, head), head.uniform_draw, result, entropy);
}
