// Fragment: lanes of a workgroup in teams, and what they hold taken together; for propose.wgsl.
//
// Each lane gives one value; all get the result, in the same bits. Two levels instead of a tree: a
// software adapter pays for loads, and a GPU for barriers.

// More lanes cost a software adapter more than they save: with 128, rows take a quarter longer.
const LANES = 64u;
const TEAM = 8u;
const TEAMS = LANES / TEAM;

var<workgroup> by_lane: array<f32, LANES>;
var<workgroup> by_team: array<f32, TEAMS>;

fn largest_over_lanes(lane: u32, own: f32) -> f32 {
  by_lane[lane] = own;
  workgroupBarrier();
  let team = lane / TEAM;
  var largest = own;
  for (var i = 0u; i < TEAM; i++) {
    largest = max(largest, by_lane[team * TEAM + i]);
  }
  if (lane % TEAM == 0u) {
    by_team[team] = largest;
  }
  // Also: nobody reads `by_lane` any more.
  workgroupBarrier();
  for (var i = 0u; i < TEAMS; i++) {
    largest = max(largest, by_team[i]);
  }
  return largest;
}

// Sums of what the lanes hold, in their order. The spans of lanes, and those of teams, join without
// gaps: one's end is the next one's begin, rounding included.
struct Spans {
  team_begin: f32,
  team_end: f32,
  begin: f32,
  end: f32,
  total: f32,
}

fn spans_over_lanes(lane: u32, own: f32) -> Spans {
  by_lane[lane] = own;
  workgroupBarrier();
  let team = lane / TEAM;
  var before = 0.0;
  var of_team = 0.0;
  for (var i = 0u; i < TEAM; i++) {
    before = select(before, of_team, team * TEAM + i == lane);
    of_team += by_lane[team * TEAM + i];
  }
  if (lane % TEAM == 0u) {
    by_team[team] = of_team;
  }
  // Also: nobody reads `by_lane` any more.
  workgroupBarrier();
  var begin = 0.0;
  var total = 0.0;
  for (var i = 0u; i < TEAMS; i++) {
    begin = select(begin, total, i == team);
    total += by_team[i];
  }
  return Spans(begin, begin + of_team, begin + before, begin + (before + own), total);
}
