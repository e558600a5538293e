// Fragment: 32 bytes that are loaded or stored as a vector of 64-bit integers.
struct Words {
  low: vec4<u32>,
  high: vec4<u32>,
}

fn take_apart(loaded: vec4<u64>) -> Words {
  let even = vec4<u32>(loaded);
  let odd = vec4<u32>(loaded >> vec4(32u));
  return Words(vec4(even.x, odd.x, even.y, odd.y), vec4(even.z, odd.z, even.w, odd.w));
}

fn put_together(low: vec4<u32>, high: vec4<u32>) -> vec4<u64> {
  let even = vec4<u64>(vec4(low.x, low.z, high.x, high.z));
  let odd = vec4<u64>(vec4(low.y, low.w, high.y, high.w));
  return even | odd << vec4(32u);
}
