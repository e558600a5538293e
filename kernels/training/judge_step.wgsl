// The loss and the norm of the gradient of one step, and what becomes of it:
//   verdict = (Σ losses, norm, min(1, CLIP / norm), 1 where both are finite, else 0)
//
// losses: [loss_count] f32. partial_sums: of squares of the gradient. One workgroup, in a fixed
// order.
// Source: Pascanu et al. 2013, "On the difficulty of training recurrent neural networks", algorithm
// 1.

struct Params {
  loss_count: u32,
  sum_count: u32,
  clip: f32,
}

@group(0) @binding(0) var<storage, read> losses: array<f32>;
@group(0) @binding(1) var<storage, read> partial_sums: array<f32>;
@group(0) @binding(2) var<storage, read_write> verdict: array<f32>;
@group(0) @binding(3) var<storage, read> params: Params;

// Not by comparing with infinity, which a compiler may take for never true.
fn is_finite(value: f32) -> bool {
  return (bitcast<u32>(value) & 0x7f800000u) != 0x7f800000u;
}

@compute @workgroup_size(LANES)
fn judge_step(@builtin(local_invocation_index) lane: u32) {
  var loss = 0.0;
  for (var i = lane; i < params.loss_count; i += LANES) {
    loss += losses[i];
  }
  loss = sum_over_lanes(lane, loss);
  var squares = 0.0;
  for (var i = lane; i < params.sum_count; i += LANES) {
    squares += partial_sums[i];
  }
  let norm = sqrt(sum_over_lanes(lane, squares));
  if (lane == 0u) {
    verdict[0] = loss;
    verdict[1] = norm;
    verdict[2] = select(1.0, params.clip / norm, norm > params.clip);
    verdict[3] = select(0.0, 1.0, is_finite(loss) && is_finite(norm));
  }
}
