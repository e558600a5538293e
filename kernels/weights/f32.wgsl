// Weights stored as f32: [tile][k / 4][32 columns] vectors of 4 along k.
fn open_weights(tile: u32, steps: u32, step: u32, lane: u32) -> Weights {
  let low = load_columns((tile * steps + step) * 2u, lane);
  let high = load_columns((tile * steps + step) * 2u + 1u, lane);
  return weights_by_k(
    bitcast<vec4<f32>>(low.a),
    bitcast<vec4<f32>>(low.b),
    bitcast<vec4<f32>>(low.c),
    bitcast<vec4<f32>>(low.d),
    bitcast<vec4<f32>>(high.a),
    bitcast<vec4<f32>>(high.b),
    bitcast<vec4<f32>>(high.c),
    bitcast<vec4<f32>>(high.d),
  );
}
