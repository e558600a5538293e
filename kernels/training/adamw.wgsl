// One step of AdamW, with a moving average of the weights, and the gradient back to zero:
//   g = gradient · scale,  m = β1 m + (1 − β1) g,  v = β2 v + (1 − β2) g²,
//   w = w − rate (m / (1 − β1ᵏ) / (sqrt(v / (1 − β2ᵏ)) + ε) + decay · w),
//   e = e + (1 − average) (w − e)
//
// All: [count vectors of 4] f32. verdict: that of judge_step.wgsl; a step that is not finite
// changes nothing but the gradient.
// Source: Loshchilov & Hutter 2019, "Decoupled weight decay regularization", algorithm 2; average:
// the official BD3-LM code, `ema.py`.

struct Params {
  count: u32,
  // Vectors that one row of workgroups takes.
  row: u32,
  rate: f32,
  beta1: f32,
  beta2: f32,
  epsilon: f32,
  decay: f32,
  // 1 / (1 − βᵏ) of the k-th step.
  correction1: f32,
  correction2: f32,
  average: f32,
}

const LANES = 64u;

@group(0) @binding(0) var<storage, read> verdict: array<f32>;
@group(0) @binding(1) var<storage, read_write> gradient: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> weight: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> first_moment: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> second_moment: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> averaged: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> params: Params;

@compute @workgroup_size(LANES)
fn adamw(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = group.y * params.row + group.x * LANES + lane;
  if (at >= params.count) {
    return;
  }
  let g = gradient[at] * verdict[2];
  gradient[at] = vec4(0.0);
  if (verdict[3] == 0.0) {
    return;
  }
  let m = params.beta1 * first_moment[at] + (1.0 - params.beta1) * g;
  let v = params.beta2 * second_moment[at] + (1.0 - params.beta2) * g * g;
  first_moment[at] = m;
  second_moment[at] = v;
  let old = weight[at];
  let step = m * params.correction1 / (sqrt(v * params.correction2) + params.epsilon);
  let new_weight = old - params.rate * (step + params.decay * old);
  weight[at] = new_weight;
  averaged[at] += (1.0 - params.average) * (new_weight - averaged[at]);
}
