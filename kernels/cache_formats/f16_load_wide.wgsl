// Keys and values kept as f16: see f16_load.wgsl. half_place is half the place of an
// even key, which is loaded with the odd one behind it.
@group(1) @binding(0) var<storage, read> k: array<vec4<u64>>;
@group(1) @binding(1) var<storage, read> v: array<vec4<u64>>;

fn open_halves(packed: vec4<u32>) -> Octet {
  return Octet(
    vec4(unpack2x16float(packed.x), unpack2x16float(packed.y)),
    vec4(unpack2x16float(packed.z), unpack2x16float(packed.w)),
  );
}

fn load_keys(panel: u32, octet: u32, half_place: u32) -> Neighbours {
  let words = take_apart(k[(panel * HEAD8 + octet) * 4u + half_place]);
  return Neighbours(open_halves(words.low), open_halves(words.high));
}

fn load_values(panel: u32, octet: u32, half_place: u32) -> Neighbours {
  let words = take_apart(v[(panel * HEAD8 + octet) * 4u + half_place]);
  return Neighbours(open_halves(words.low), open_halves(words.high));
}
