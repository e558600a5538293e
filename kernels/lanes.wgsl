// Fragment: lanes of a workgroup in teams, and what they hold taken together. A teams fragment has fn
// values_of_team(lane, own), which gives a lane all values of its team, and then fn
// values_of_teams(lane, of_team), which gives it one of each team.
//
// Each lane gives one value; all get the result, in the same bits. Two levels instead of a tree: a
// software adapter pays for loads, and a GPU for barriers.

// More lanes cost a software adapter more than they save: with 128, rows take a quarter longer.
const LANES = 64u;
const TEAM = 8u;
const TEAMS = LANES / TEAM;

fn largest_over_lanes(lane: u32, own: f32) -> f32 {
  let of_team = largest_of_8(values_of_team(lane, own));
  return largest_of_8(values_of_teams(lane, of_team));
}

fn largest_of_8(x: array<f32, 8>) -> f32 {
  return largest_of(max(vec4(x[0], x[1], x[2], x[3]), vec4(x[4], x[5], x[6], x[7])));
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
  let inner = sum_up(values_of_team(lane, own), lane % TEAM);
  let outer = sum_up(values_of_teams(lane, inner.total), lane / TEAM);
  let begin = outer.before;
  return Spans(
    begin,
    begin + inner.total,
    begin + inner.before,
    begin + (inner.before + own),
    outer.total,
  );
}
