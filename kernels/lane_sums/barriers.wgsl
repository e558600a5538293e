// Sums over 32 lanes of a workgroup, by a tree in its memory.
const LANES = 32u;

var<workgroup> partial: array<f32, LANES>;

fn sum_over_lanes(lane: u32, value: f32) -> f32 {
  partial[lane] = value;
  workgroupBarrier();
  for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
    if (lane < stride) {
      partial[lane] += partial[lane + stride];
    }
    workgroupBarrier();
  }
  let sum = partial[0];
  // The next sum overwrites what this one is read from.
  workgroupBarrier();
  return sum;
}
