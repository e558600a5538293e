// Fragment: 32 bytes that are loaded or stored as a vector of 64-bit integers. What is bound as an array
// of them is a multiple of 32 bytes long, as rows of all tensors are: half a vector at the end would be
// out of reach. With octet.wgsl.
struct Words {
  low: vec4<u32>,
  high: vec4<u32>,
}

fn take_apart(loaded: vec4<u64>) -> Words {
  let even = vec4<u32>(loaded);
  let odd = vec4<u32>(loaded >> vec4(32u));
  return Words(vec4(even.x, odd.x, even.y, odd.y), vec4(even.z, odd.z, even.w, odd.w));
}

fn octet_of(loaded: vec4<u64>) -> Octet {
  let words = take_apart(loaded);
  return Octet(bitcast<vec4<f32>>(words.low), bitcast<vec4<f32>>(words.high));
}

fn put_together(value: Octet) -> vec4<u64> {
  let low = bitcast<vec4<u32>>(value.low);
  let high = bitcast<vec4<u32>>(value.high);
  let even = vec4<u64>(vec4(low.x, low.z, high.x, high.z));
  let odd = vec4<u64>(vec4(low.y, low.w, high.y, high.w));
  return even | (odd << vec4(32u));
}
