// y = f(x); or, on the way back, d_x = dy · f'(x), in place on dy.
//
// x, y: [count vectors of 4] f32. f is GELU with a tanh (0) or SiLU (1).
// Source: Hendrycks & Gimpel 2016, "Gaussian Error Linear Units", section 2.

struct Params {
  count: u32,
  kind: u32,
  is_backward: u32,
  // Vectors that one row of workgroups takes.
  row: u32,
}

const LANES = 64u;
const ROOT = 0.7978845608028654;
const CUBIC = 0.044715;

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> params: Params;

// Beyond 10, tanh is 1 in f32; some drivers give NaN for large arguments.
fn gelu_tanh(value: vec4<f32>) -> vec4<f32> {
  let inner = ROOT * (value + CUBIC * value * value * value);
  return tanh(clamp(inner, vec4(-10.0), vec4(10.0)));
}

@compute @workgroup_size(LANES)
fn activation(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = group.y * params.row + group.x * LANES + lane;
  if (at >= params.count) {
    return;
  }
  let value = x[at];
  if (params.kind == 0u) {
    let t = gelu_tanh(value);
    if (params.is_backward == 1u) {
      let inner = ROOT * (1.0 + 3.0 * CUBIC * value * value);
      y[at] *= 0.5 * (1.0 + t) + 0.5 * value * (1.0 - t * t) * inner;
    } else {
      y[at] = 0.5 * value * (1.0 + t);
    }
  } else {
    let sigmoid = 1.0 / (1.0 + exp(-value));
    if (params.is_backward == 1u) {
      y[at] *= sigmoid * (1.0 + value * (1.0 - sigmoid));
    } else {
      y[at] = value * sigmoid;
    }
  }
}
