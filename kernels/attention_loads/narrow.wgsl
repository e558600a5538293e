// 16 bytes at a time.
@group(0) @binding(0) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> o: array<vec4<f32>>;

fn load_q(at: u32) -> Octet {
  return Octet(q[2u * at], q[2u * at + 1u]);
}

fn store_o(at: u32, value: Octet) {
  o[2u * at] = value.low;
  o[2u * at + 1u] = value.high;
}
