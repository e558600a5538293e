// Fragment: one of several values by a number that is no constant; an array that a variable indexes would
// be looked up lane by lane.
fn pick_of_4(i: u32, a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>) -> vec4<f32> {
  return select(select(a, b, i == 1u), select(c, d, i == 3u), i >= 2u);
}

fn pick_of_8(
  i: u32,
  a: vec4<f32>,
  b: vec4<f32>,
  c: vec4<f32>,
  d: vec4<f32>,
  e: vec4<f32>,
  f: vec4<f32>,
  g: vec4<f32>,
  h: vec4<f32>,
) -> vec4<f32> {
  return select(pick_of_4(i, a, b, c, d), pick_of_4(i - 4u, e, f, g, h), i >= 4u);
}
