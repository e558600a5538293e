// What the network holds of the token proposed for a head, and of the most probable ones.
//
//   log_p(v) = logit(v) − ln Σ over tokens w but the mask of exp(logit(w))
//   top = the TOP tokens with the highest logits, falling; equals in order of their ids
//
// That is the model's own distribution: at temperature 1, before top-k and top-p, whatever the token
// was drawn with.
//
// logits: [heads of this part, VOCABULARY padded to 32] f32, heads FIRST_HEAD … of the pass.
// proposals: propose.wgsl has written them. details: one per head of the pass. One workgroup per
// head, whose lanes take columns of 4 tokens in turn and keep the best of theirs; then the lanes
// together take out the best TOP times.
// Sums while the maximum is still rising: Milakov & Gimelshein 2018, "Online normalizer calculation
// for softmax".

struct Params {
  first_head: u32,
}

// Most probable tokens that are told.
const TOP = 5u;
// Stands where the vocabulary has fewer.
const NO_TOKEN = 0xffffffffu;

@group(0) @binding(0) var<storage, read> logits: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> counts: array<u32>;
@group(0) @binding(2) var<storage, read> proposals: array<Proposal>;
@group(0) @binding(3) var<storage, read_write> details: array<Details>;
@group(0) @binding(4) var<storage, read> params: Params;

struct TopToken {
  token: u32,
  log_p: f32,
}

struct Details {
  // The proposal's.
  entropy: f32,
  // Of the proposal's token.
  log_p: f32,
  top: array<TopToken, TOP>,
}

struct Ranked {
  logit: f32,
  token: u32,
}

// Puts a token into its place among the best; it comes after its equals, whose ids are lower.
fn rank(best: ptr<function, array<Ranked, TOP>>, given: Ranked) {
  var falling = given;
  var is_placed = false;
  for (var i = 0u; i < TOP; i++) {
    let held = (*best)[i];
    is_placed |= falling.logit > held.logit;
    if (is_placed) {
      (*best)[i] = falling;
      falling = held;
    }
  }
}

@compute @workgroup_size(LANES)
fn inspect(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let head = params.first_head + group.x;
  if (head >= counts[1]) {
    return;
  }
  let columns = (VOCABULARY + 31u) / 32u * 8u;
  let start = group.x * columns;
  // Of this lane's tokens.
  var best: array<Ranked, TOP>;
  for (var i = 0u; i < TOP; i++) {
    best[i] = Ranked(LOWEST, NO_TOKEN);
  }
  var weight = 0.0;
  for (var c = lane; c < columns; c += LANES) {
    let x = load4(start, c);
    let before = best[0].logit;
    if (largest_of(x) > best[TOP - 1u].logit) {
      for (var i = 0u; i < 4u; i++) {
        rank(&best, Ranked(x[i], c * 4u + i));
      }
    }
    let highest = best[0].logit;
    weight = weight * weights_of(vec4(before), highest).x + total_of(weights_of(x, highest));
  }
  let own = best[0].logit;
  let highest = largest_over_lanes(lane, own);
  let log_total = log(spans_over_lanes(lane, weight * weights_of(vec4(own), highest).x).total);
  if (lane == 0u) {
    let proposal = proposals[head];
    let logit = load4(start, proposal.token / 4u)[proposal.token % 4u];
    details[head].entropy = proposal.entropy;
    details[head].log_p = min(logit - highest - log_total, 0.0);
  }
  // How many of this lane's are out.
  var taken = 0u;
  for (var place = 0u; place < TOP; place++) {
    let mine = best[taken];
    let next = largest_over_lanes(lane, mine.logit);
    // The largest -id of equals.
    let id = select(-f32(NO_TOKEN), -f32(mine.token), mine.logit == next);
    let is_next = largest_over_lanes(lane, id) == id && mine.logit == next;
    // Where no token is left, all lanes say so.
    if (is_next) {
      details[head].top[place] = TopToken(mine.token, min(next - highest - log_total, 0.0));
      taken++;
    }
  }
}
