// Fragment: the largest value over the lanes of a workgroup, beside ../../lane_sums/subgroup.wgsl.

fn max_over_lanes(lane: u32, value: f32) -> f32 {
  return subgroupMax(value);
}
