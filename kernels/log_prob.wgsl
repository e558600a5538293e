// log_p[h] = logit(x₀) − ln Σ over tokens v but the mask of exp(logit(v))
//
// ln p(x₀ | x_t) of a masked row under SUBS: the mask itself is impossible. A row that is not masked
// keeps its token for certain, and needs no head. NaN where a logit is none or infinite.
//
// logits: [heads of this part, VOCABULARY padded to 32] f32, heads FIRST_HEAD … of the pass. targets
// and log_p: [heads of the pass], x₀ by its id. One workgroup per head, whose lanes take columns of 4
// tokens in turn.
// Source: Sahoo et al. 2024, "Simple and Effective Masked Diffusion Language Models", section 3.2.3.
// Sums while the maximum is still rising: Milakov & Gimelshein 2018, "Online normalizer calculation
// for softmax".

struct Params {
  first_head: u32,
}

const INFINITE = 0x7f800000u;
const NO_NUMBER = 0x7fc00000u;

@group(0) @binding(0) var<storage, read> logits: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> targets: array<u32>;
@group(0) @binding(2) var<storage, read> counts: array<u32>;
@group(0) @binding(3) var<storage, read_write> log_p: array<f32>;
@group(0) @binding(4) var<storage, read> params: Params;

@compute @workgroup_size(LANES)
fn log_prob(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let head = params.first_head + group.x;
  if (head >= counts[1]) {
    return;
  }
  let columns = (VOCABULARY + 31u) / 32u * 8u;
  let start = group.x * columns;
  var highest = LOWEST;
  var weight = 0.0;
  var magnitudes = vec4(0u);
  for (var c = lane; c < columns; c += LANES) {
    let x = load4(start, c);
    magnitudes = max(magnitudes, bitcast<vec4<u32>>(x) & vec4(0x7fffffffu));
    let before = highest;
    highest = max(before, largest_of(x));
    weight = weight * weights_of(vec4(before), highest).x + total_of(weights_of(x, highest));
  }
  let magnitude = max(max(magnitudes.x, magnitudes.y), max(magnitudes.z, magnitudes.w));
  let is_number = largest_over_lanes(lane, select(0.0, 1.0, magnitude >= INFINITE)) == 0.0;
  let top = largest_over_lanes(lane, highest);
  let total = spans_over_lanes(lane, weight * weights_of(vec4(highest), top).x).total;
  if (lane == 0u) {
    let id = targets[head];
    let logit = load4(start, id / 4u)[id % 4u];
    let result = bitcast<u32>(logit - top - log(total));
    log_p[head] = bitcast<f32>(select(NO_NUMBER, result, is_number));
  }
}
