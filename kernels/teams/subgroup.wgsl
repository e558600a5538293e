// The values of a team that is a subgroup of 8 lanes, by broadcast.
fn values_of_team(lane: u32, own: f32) -> OfTeam {
  // All have read what teams left the last time.
  workgroupBarrier();
  return OfTeam(
    vec4(
      subgroupBroadcast(own, 0u),
      subgroupBroadcast(own, 1u),
      subgroupBroadcast(own, 2u),
      subgroupBroadcast(own, 3u),
    ),
    vec4(
      subgroupBroadcast(own, 4u),
      subgroupBroadcast(own, 5u),
      subgroupBroadcast(own, 6u),
      subgroupBroadcast(own, 7u),
    ),
  );
}
