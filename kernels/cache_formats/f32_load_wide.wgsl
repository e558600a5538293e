// Keys and values kept as f32: see f32_load.wgsl. half_place is half the place of an even key, which is
// loaded with the odd one behind it.
@group(1) @binding(0) var<storage, read> k: array<vec4<u64>>;
@group(1) @binding(1) var<storage, read> v: array<vec4<u64>>;

fn neighbours(low: Words, high: Words) -> Neighbours {
  return Neighbours(
    Octet(bitcast<vec4<f32>>(low.low), bitcast<vec4<f32>>(high.low)),
    Octet(bitcast<vec4<f32>>(low.high), bitcast<vec4<f32>>(high.high)),
  );
}

fn load_keys(panel: u32, octet: u32, half_place: u32) -> Neighbours {
  let at = (panel * HEAD8 + octet) * 8u + half_place;
  return neighbours(take_apart(k[at]), take_apart(k[at + 4u]));
}

fn load_values(panel: u32, octet: u32, half_place: u32) -> Neighbours {
  let at = (panel * HEAD8 + octet) * 8u + half_place;
  return neighbours(take_apart(v[at]), take_apart(v[at + 4u]));
}
