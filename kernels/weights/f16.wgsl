// Weights stored as f16, two to a word: [tile][k / 8][32 columns] vectors of 8 along k.
fn open_weights(tile: u32, steps: u32, step: u32, lane: u32) -> Weights {
  let columns = load_columns(tile * steps + step, lane);
  return weights_by_k(
    opened(columns.a.xy),
    opened(columns.b.xy),
    opened(columns.c.xy),
    opened(columns.d.xy),
    opened(columns.a.zw),
    opened(columns.b.zw),
    opened(columns.c.zw),
    opened(columns.d.zw),
  );
}

fn opened(words: vec2<u32>) -> vec4<f32> {
  return vec4(unpack2x16float(words.x), unpack2x16float(words.y));
}
