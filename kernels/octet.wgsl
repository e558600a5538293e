// Fragment: 8 neighbouring values of a row.
struct Octet {
  low: vec4<f32>,
  high: vec4<f32>,
}
