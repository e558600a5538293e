// Sums over the 8 lanes of a workgroup that is one subgroup: without a barrier, of which each costs a
// software adapter more than the few additions that more lanes would save.
const LANES = 8u;

fn sum_over_lanes(lane: u32, value: f32) -> f32 {
  return subgroupAdd(value);
}
