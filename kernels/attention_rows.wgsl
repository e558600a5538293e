// Fragment: rows on their way in the registers of an invocation, QUERIES of them, and the one order in
// which their scores and weights are summed; query q is the q-th.

// What they ask, and have summed; with subgroups, what a lane has of all rows' sums.
var<private> query: array<vec4<f32>, QUERIES * HEAD8 * 2u>;
var<private> sum: array<vec4<f32>, QUERIES * HEAD8 * 2u>;
var<private> highest: array<f32, QUERIES>;
var<private> total: array<f32, QUERIES>;
// Scores of KEYS keys, and after weigh() their weights.
var<private> score: array<f32, QUERIES * KEYS>;

fn load_query(q: u32, row: u32, head: u32) {
  highest[q] = LOWEST;
  total[q] = 0.0;
  for (var octet = 0u; octet < HEAD8; octet++) {
    let part = load_q((row * HEADS + head) * HEAD8 + octet);
    query[(q * HEAD8 + octet) * 2u] = part.low * SCALE;
    query[(q * HEAD8 + octet) * 2u + 1u] = part.high * SCALE;
  }
}

fn add_product(before: f32, a: vec4<f32>, b: vec4<f32>) -> f32 {
  return fma(a.w, b.w, fma(a.z, b.z, fma(a.y, b.y, fma(a.x, b.x, before))));
}

// Adds an octet of key j to its score: 8 products, in the order of the components.
fn add_score(q: u32, j: u32, octet: u32, low: vec4<f32>, high: vec4<f32>) {
  let at = q * KEYS + j;
  let sum_low = add_product(score[at], query[(q * HEAD8 + octet) * 2u], low);
  score[at] = add_product(sum_low, query[(q * HEAD8 + octet) * 2u + 1u], high);
}

// From the scores of the keys from `chunk` on to their weights; gives by how much to rescale what was
// summed of values before. Keys that the row does not see, outside of seen.x … seen.y - 1, have no weight
// at all.
fn weigh(q: u32, chunk: u32, seen: vec2<u32>) -> f32 {
  var high = highest[q];
  for (var j = 0u; j < KEYS; j++) {
    let is_visible = chunk + j >= seen.x && chunk + j < seen.y;
    score[q * KEYS + j] = select(LOWEST, score[q * KEYS + j], is_visible);
    high = max(high, score[q * KEYS + j]);
  }
  // Exactly 1 where nothing changes, whatever the driver makes of e^0.
  let rescale = select(exp(highest[q] - high), 1.0, highest[q] == high);
  total[q] *= rescale;
  highest[q] = high;
  for (var j = q * KEYS; j < (q + 1u) * KEYS; j++) {
    score[j] = select(0.0, exp(score[j] - high), score[j] != LOWEST);
    total[q] += score[j];
  }
  return rescale;
}
