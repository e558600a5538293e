// 16 bytes at a time.
@group(0) @binding(0) var<storage, read> logits: array<vec4<f32>>;

fn load_logits(at: u32) -> Octet {
  return Octet(logits[2u * at], logits[2u * at + 1u]);
}
