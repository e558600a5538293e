// Weights stored as f32: [tile][k / 4][32 columns] vectors of 4 along k.
fn open_weights(tile: u32, steps: u32, step: u32, lane: u32) -> Weights {
  let low = load_columns((tile * steps + step) * 2u, lane);
  let a = bitcast<vec4<f32>>(low.a);
  let b = bitcast<vec4<f32>>(low.b);
  let c = bitcast<vec4<f32>>(low.c);
  let d = bitcast<vec4<f32>>(low.d);
  let high = load_columns((tile * steps + step) * 2u + 1u, lane);
  let e = bitcast<vec4<f32>>(high.a);
  let f = bitcast<vec4<f32>>(high.b);
  let g = bitcast<vec4<f32>>(high.c);
  let h = bitcast<vec4<f32>>(high.d);
  return Weights(
    vec4(a.x, b.x, c.x, d.x),
    vec4(a.y, b.y, c.y, d.y),
    vec4(a.z, b.z, c.z, d.z),
    vec4(a.w, b.w, c.w, d.w),
    vec4(e.x, f.x, g.x, h.x),
    vec4(e.y, f.y, g.y, h.y),
    vec4(e.z, f.z, g.z, h.z),
    vec4(e.w, f.w, g.w, h.w),
  );
}
