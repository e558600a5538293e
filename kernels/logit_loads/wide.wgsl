// 32 bytes at a time, as vectors of 64-bit integers.
@group(0) @binding(0) var<storage, read> logits: array<vec4<u64>>;

fn load_eight(at: u32) -> Eight {
  let words = take_apart(logits[at]);
  return Eight(bitcast<vec4<f32>>(words.low), bitcast<vec4<f32>>(words.high));
}
