// 32 bytes at a time, as vectors of 64-bit integers.
@group(0) @binding(0) var<storage, read> logits: array<vec4<u64>>;

fn load_logits(at: u32) -> Octet {
  return octet_of(logits[at]);
}
