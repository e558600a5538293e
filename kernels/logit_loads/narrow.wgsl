// 16 bytes at a time.
@group(0) @binding(0) var<storage, read> logits: array<vec4<f32>>;

fn load_eight(at: u32) -> Eight {
  return Eight(logits[2u * at], logits[2u * at + 1u]);
}
