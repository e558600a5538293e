// Fragment: the largest value over the lanes of a workgroup, beside ../../lane_sums/barriers.wgsl.

fn max_over_lanes(lane: u32, value: f32) -> f32 {
  partial[lane] = value;
  workgroupBarrier();
  for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
    if (lane < stride) {
      partial[lane] = max(partial[lane], partial[lane + stride]);
    }
    workgroupBarrier();
  }
  let highest = partial[0];
  // The next use overwrites what this one is read from.
  workgroupBarrier();
  return highest;
}
