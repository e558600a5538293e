// 32 bytes at a time, as vectors of 64-bit integers: on a software adapter that takes hardly longer than
// 16 bytes. Of the cache they are those of two neighbouring keys. What is stored goes by 16, since some
// lanes have half an octet.
@group(0) @binding(0) var<storage, read> q: array<vec4<u64>>;
@group(0) @binding(4) var<storage, read_write> o: array<vec2<u64>>;

struct Neighbours {
  even: Octet,
  odd: Octet,
}

fn load_q(at: u32) -> Octet {
  return octet_of(q[at]);
}

fn store_o(at: u32, value: Octet) {
  let words = put_together(value);
  o[2u * at] = words.xy;
  o[2u * at + 1u] = words.zw;
}

// Half an octet.
fn store_half(at: u32, value: vec4<f32>) {
  o[at] = put_together(Octet(value, value)).xy;
}
