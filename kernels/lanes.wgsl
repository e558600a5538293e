// Fragment: lanes of a workgroup in teams, and what they hold taken together. A teams fragment has fn
// values_of_team(lane, own).
//
// Each lane gives one value; all get the result, in the same bits. Two levels instead of a tree: a
// software adapter pays for loads, and a GPU for barriers.

// More lanes cost a software adapter more than they save: with 128, rows take a quarter longer.
const LANES = 64u;
const TEAM = 8u;
const TEAMS = LANES / TEAM;

var<workgroup> by_team: array<vec4<f32>, TEAMS / 4u>;

// The values of the 8 lanes of a team.
struct OfTeam {
  first: vec4<f32>,
  second: vec4<f32>,
}

fn leave_for_all(lane: u32, of_team: f32) {
  if (lane % TEAM == 0u) {
    by_team[lane / TEAM / 4u][lane / TEAM % 4u] = of_team;
  }
  // Also: nobody reads what lanes left any more.
  workgroupBarrier();
}

fn largest_over_lanes(lane: u32, own: f32) -> f32 {
  let values = values_of_team(lane, own);
  leave_for_all(lane, largest_of(max(values.first, values.second)));
  return largest_of(max(by_team[0], by_team[1]));
}

fn largest_of(x: vec4<f32>) -> f32 {
  return max(max(x.x, x.y), max(x.z, x.w));
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

// The sum of values before one of them, and of all.
struct Cumulative {
  before: f32,
  total: f32,
}

fn sum_up(values: array<f32, 8>, place: u32) -> Cumulative {
  var sum = Cumulative(0.0, 0.0);
  for (var i = 0u; i < 8u; i++) {
    sum.before = select(sum.before, sum.total, i == place);
    sum.total += values[i];
  }
  return sum;
}

fn spans_over_lanes(lane: u32, own: f32) -> Spans {
  let values = values_of_team(lane, own);
  let inner = sum_up(listed(values.first, values.second), lane % TEAM);
  leave_for_all(lane, inner.total);
  let outer = sum_up(listed(by_team[0], by_team[1]), lane / TEAM);
  let begin = outer.before;
  return Spans(
    begin,
    begin + inner.total,
    begin + inner.before,
    begin + (inner.before + own),
    outer.total,
  );
}

fn listed(a: vec4<f32>, b: vec4<f32>) -> array<f32, 8> {
  return array(a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w);
}
