// Keys and values kept as f16: panels of 8 positions, [panel][HEAD8][8] vectors of 8 components.
@group(1) @binding(0) var<storage, read> k: array<vec4<u32>>;
@group(1) @binding(1) var<storage, read> v: array<vec4<u32>>;

fn open_halves(packed: vec4<u32>) -> Octet {
  return Octet(
    vec4(unpack2x16float(packed.x), unpack2x16float(packed.y)),
    vec4(unpack2x16float(packed.z), unpack2x16float(packed.w)),
  );
}

fn load_key(panel: u32, octet: u32, place: u32) -> Octet {
  return open_halves(k[(panel * HEAD8 + octet) * 8u + place]);
}

fn load_value(panel: u32, octet: u32, place: u32) -> Octet {
  return open_halves(v[(panel * HEAD8 + octet) * 8u + place]);
}
