// Keys and values kept as f32: panels of 8 positions, [panel][HEAD / 4][8] vectors of 4 components.
@group(2) @binding(4) var<storage, read_write> k: array<vec4<f32>>;
@group(2) @binding(5) var<storage, read_write> v: array<vec4<f32>>;

fn store_key(panel: u32, quad: u32, place: u32, value: vec4<f32>) {
  k[(panel * (HEAD / 4u) + quad) * 8u + place] = value;
}

fn store_value(panel: u32, quad: u32, place: u32, value: vec4<f32>) {
  v[(panel * (HEAD / 4u) + quad) * 8u + place] = value;
}
