// 32 bytes at a time, as vectors of 64-bit integers.
@group(0) @binding(0) var<storage, read> logits: array<vec4<u64>>;

fn load_eight(at: u32) -> Eight {
  let part = floats_of(logits[at]);
  return Eight(part.low, part.high);
}
