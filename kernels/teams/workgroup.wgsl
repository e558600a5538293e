// The values of a team by way of the workgroup's memory.
var<workgroup> by_lane: array<vec4<f32>, LANES / 4u>;

fn values_of_team(lane: u32, own: f32) -> OfTeam {
  by_lane[lane / 4u][lane % 4u] = own;
  // Also: all have read what teams left the last time.
  workgroupBarrier();
  let at = lane / TEAM * 2u;
  return OfTeam(by_lane[at], by_lane[at + 1u]);
}
