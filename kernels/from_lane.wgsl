// Fragment: what a lane of a subgroup of 8 has, for all of them, by a number that is no constant but the
// same for all.
fn from_lane(value: vec2<u32>, lane: u32) -> vec2<u32> {
  var result = subgroupBroadcast(value, 0u);
  result = select(result, subgroupBroadcast(value, 1u), lane == 1u);
  result = select(result, subgroupBroadcast(value, 2u), lane == 2u);
  result = select(result, subgroupBroadcast(value, 3u), lane == 3u);
  result = select(result, subgroupBroadcast(value, 4u), lane == 4u);
  result = select(result, subgroupBroadcast(value, 5u), lane == 5u);
  result = select(result, subgroupBroadcast(value, 6u), lane == 6u);
  return select(result, subgroupBroadcast(value, 7u), lane == 7u);
}
