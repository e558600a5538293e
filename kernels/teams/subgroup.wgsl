// By broadcast, where a team is a subgroup of 8 lanes; of a software adapter, which runs one subgroup
// after the other and stores components of vectors by themselves.
var<workgroup> by_team: array<vec4<f32>, TEAMS / 4u>;

fn values_of_team(lane: u32, own: f32) -> array<f32, 8> {
  // All have read what teams left the last time.
  workgroupBarrier();
  return array(
    subgroupBroadcast(own, 0u),
    subgroupBroadcast(own, 1u),
    subgroupBroadcast(own, 2u),
    subgroupBroadcast(own, 3u),
    subgroupBroadcast(own, 4u),
    subgroupBroadcast(own, 5u),
    subgroupBroadcast(own, 6u),
    subgroupBroadcast(own, 7u),
  );
}

fn values_of_teams(lane: u32, of_team: f32) -> array<f32, 8> {
  if (lane % TEAM == 0u) {
    by_team[lane / TEAM / 4u][lane / TEAM % 4u] = of_team;
  }
  workgroupBarrier();
  let a = by_team[0];
  let b = by_team[1];
  return array(a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w);
}
