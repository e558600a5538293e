// losses[r] = weight · (ln Σ over v of e^logits[r, v] − logits[r, token]), and in place of the
// logits the derivative by them: weight · (p[v] − [v = token]). The mask has no probability.
//
// logits: [rows, 4 WIDTH4] f32, of which the first VOCABULARY columns count; the others become
// zero. A row from ROWS on becomes zero as a whole. Row 0 of the logits is row FIRST of tokens and
// weights; its loss goes to place LOSS_FIRST of the losses. One workgroup per row, whose lanes a
// fragment sums over.
// Source: Sahoo et al. 2024, "Simple and Effective Masked Diffusion Language Models", eq. 10.

struct Params {
  first: u32,
  rows: u32,
  loss_first: u32,
  mask: u32,
}

override WIDTH4: u32;
override VOCABULARY: u32;
const LOWEST = -3.0e38;

@group(0) @binding(0) var<storage, read> tokens: array<u32>;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read_write> logits: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> losses: array<f32>;
@group(0) @binding(4) var<storage, read> params: Params;

fn columns(column4: u32) -> vec4<u32> {
  return column4 * 4u + vec4(0u, 1u, 2u, 3u);
}

fn is_possible(column4: u32) -> vec4<bool> {
  let column = columns(column4);
  return (column < vec4(VOCABULARY)) & (column != vec4(params.mask));
}

@compute @workgroup_size(LANES)
fn cross_entropy(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = group.x * WIDTH4;
  let row = params.first + group.x;
  if (row >= params.rows) {
    for (var c = lane; c < WIDTH4; c += LANES) {
      logits[at + c] = vec4(0.0);
    }
    return;
  }
  var own = LOWEST;
  var total = 0.0;
  for (var c = lane; c < WIDTH4; c += LANES) {
    let value = select(vec4(LOWEST), logits[at + c], is_possible(c));
    let high = max(max(max(value.x, value.y), max(value.z, value.w)), own);
    // NaN is no number that max() must give back: the sum has to carry it.
    total = total * select(exp(own - high), 1.0, own == high) + dot(exp(value - high), vec4(1.0));
    own = high;
  }
  let highest = max_over_lanes(lane, own);
  let sum = sum_over_lanes(lane, total * exp(own - highest));
  let logsumexp = highest + log(sum);
  let token = tokens[row];
  let weight = weights[row];
  if (lane == 0u) {
    let own_logit = logits[at + token / 4u][token % 4u];
    losses[params.loss_first + group.x] = weight * (logsumexp - own_logit);
  }
  // The loss reads a logit that becomes a derivative below.
  storageBarrier();
  workgroupBarrier();
  for (var c = lane; c < WIDTH4; c += LANES) {
    let p = select(vec4(0.0), exp(logits[at + c] - logsumexp), is_possible(c));
    logits[at + c] = weight * (p - select(vec4(0.0), vec4(1.0), columns(c) == vec4(token)));
  }
}
