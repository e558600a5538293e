// By way of the workgroup's memory. Scalars: a lane that writes a component of a vector may touch those
// of other lanes.
var<workgroup> by_lane: array<f32, LANES>;
var<workgroup> by_team: array<f32, TEAMS>;

fn values_of_team(lane: u32, own: f32) -> array<f32, 8> {
  by_lane[lane] = own;
  // Also: all have read what teams left the last time.
  workgroupBarrier();
  let at = lane / TEAM * TEAM;
  return array(
    by_lane[at],
    by_lane[at + 1u],
    by_lane[at + 2u],
    by_lane[at + 3u],
    by_lane[at + 4u],
    by_lane[at + 5u],
    by_lane[at + 6u],
    by_lane[at + 7u],
  );
}

fn values_of_teams(lane: u32, of_team: f32) -> array<f32, 8> {
  if (lane % TEAM == 0u) {
    by_team[lane / TEAM] = of_team;
  }
  // Also: nobody reads what lanes left any more.
  workgroupBarrier();
  return array(
    by_team[0],
    by_team[1],
    by_team[2],
    by_team[3],
    by_team[4],
    by_team[5],
    by_team[6],
    by_team[7],
  );
}
