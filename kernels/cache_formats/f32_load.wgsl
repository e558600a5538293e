// Keys and values kept as f32: panels of 8 positions, [panel][HEAD8][2][8] vectors of 4 components.
@group(1) @binding(0) var<storage, read> k: array<vec4<f32>>;
@group(1) @binding(1) var<storage, read> v: array<vec4<f32>>;

fn load_key(panel: u32, octet: u32, place: u32) -> Octet {
  let at = (panel * HEAD8 + octet) * 16u + place;
  return Octet(k[at], k[at + 8u]);
}

fn load_value(panel: u32, octet: u32, place: u32) -> Octet {
  let at = (panel * HEAD8 + octet) * 16u + place;
  return Octet(v[at], v[at + 8u]);
}
