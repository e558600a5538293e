// Nothing but multiply-adds: s = s · a + b in 12 accumulators that do not wait for each other, 16 times
// in the text, so that the cost of the loop does not count. What comes out is the peak of this device
// as a kernel can reach it.
//
// factors: (a, b), whose values no compiler knows. y: [invocations] f32, so that nothing is left out.

const LANES = 64u;
const ITERATIONS = 400u;

@group(0) @binding(0) var<storage, read> factors: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

var<private> s0: f32;
var<private> s1: f32;
var<private> s2: f32;
var<private> s3: f32;
var<private> s4: f32;
var<private> s5: f32;
var<private> s6: f32;
var<private> s7: f32;
var<private> s8: f32;
var<private> s9: f32;
var<private> s10: f32;
var<private> s11: f32;

fn multiply_add(a: f32, b: f32) {
  s0 = s0 * a + b;
  s1 = s1 * a + b;
  s2 = s2 * a + b;
  s3 = s3 * a + b;
  s4 = s4 * a + b;
  s5 = s5 * a + b;
  s6 = s6 * a + b;
  s7 = s7 * a + b;
  s8 = s8 * a + b;
  s9 = s9 * a + b;
  s10 = s10 * a + b;
  s11 = s11 * a + b;
}

@compute @workgroup_size(LANES)
fn peak(@builtin(global_invocation_id) id: vec3<u32>) {
  let a = factors[0];
  let b = factors[1];
  // Distinct beginnings: equal accumulators would be one.
  let start = f32(id.x);
  s0 = start;
  s1 = start + 1.0;
  s2 = start + 2.0;
  s3 = start + 3.0;
  s4 = start + 4.0;
  s5 = start + 5.0;
  s6 = start + 6.0;
  s7 = start + 7.0;
  s8 = start + 8.0;
  s9 = start + 9.0;
  s10 = start + 10.0;
  s11 = start + 11.0;
  for (var i = 0u; i < ITERATIONS; i++) {
    multiply_add(a, b);
    multiply_add(a, b);
    multiply_add(a, b);
    multiply_add(a, b);
    multiply_add(a, b);
    multiply_add(a, b);
    multiply_add(a, b);
    multiply_add(a, b);
    multiply_add(a, b);
    multiply_add(a, b);
    multiply_add(a, b);
    multiply_add(a, b);
    multiply_add(a, b);
    multiply_add(a, b);
    multiply_add(a, b);
    multiply_add(a, b);
  }
  y[id.x] = s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7 + s8 + s9 + s10 + s11;
}
