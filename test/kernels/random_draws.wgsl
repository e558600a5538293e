// Runs the fragment of kernels/random.wgsl on every input, for its test.
//
// inputs: [draws] of six words. bits: [draws] threefry(counter = words 0 and 1, key = words 2 and
// 3). uniforms: [draws] uniform_at(seed = words 0 and 1, choice, stream, position, step).

struct Draw {
  a: u32,
  b: u32,
  c: u32,
  d: u32,
  e: u32,
  f: u32,
}

const LANES = 64u;

@group(0) @binding(0) var<storage, read> inputs: array<Draw>;
@group(0) @binding(1) var<storage, read_write> bits: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read_write> uniforms: array<f32>;

@compute @workgroup_size(LANES)
fn random_draws(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= arrayLength(&inputs)) {
    return;
  }
  let draw = inputs[id.x];
  bits[id.x] = threefry(vec2(draw.a, draw.b), vec2(draw.c, draw.d));
  uniforms[id.x] = uniform_at(vec2(draw.a, draw.b), draw.c, draw.d, draw.e, draw.f);
}
