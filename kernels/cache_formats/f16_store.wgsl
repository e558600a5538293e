// Keys and values kept as f16: panels of 8 positions, [panel][HEAD / 8][8] vectors of 8 components,
// of which a quad is one half.
@group(2) @binding(4) var<storage, read_write> k: array<vec2<u32>>;
@group(2) @binding(5) var<storage, read_write> v: array<vec2<u32>>;

const MAX_HALF = 65504.0;
// Two halves that are NaN.
const NO_NUMBERS = 0x7e007e00u;

fn half_of(panel: u32, quad: u32, place: u32) -> u32 {
  return ((panel * (HEAD / 8u) + quad / 2u) * 8u + place) * 2u + quad % 2u;
}

// What is no finite half becomes no number: an infinite key would only drop out of the softmax, and the
// pass would answer where it must fail.
fn pack(value: vec4<f32>) -> vec2<u32> {
  let packed = vec2(pack2x16float(value.xy), pack2x16float(value.zw));
  return select(vec2(NO_NUMBERS), packed, all(abs(value) <= vec4(MAX_HALF)));
}

fn store_key(panel: u32, quad: u32, place: u32, value: vec4<f32>) {
  k[half_of(panel, quad, place)] = pack(value);
}

fn store_value(panel: u32, quad: u32, place: u32, value: vec4<f32>) {
  v[half_of(panel, quad, place)] = pack(value);
}
