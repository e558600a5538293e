// Fragment: Threefry-2x32 with 20 rounds, a counter-based generator: the same bits as
// src/diffusion/random.ts, whatever ran before.
// Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"; Random123.

fn rotate(x: u32, bits: u32) -> u32 {
  return (x << bits) | (x >> (32u - bits));
}

fn mix4(x: vec2<u32>, r: vec4<u32>) -> vec2<u32> {
  var a = x.x + x.y;
  var b = rotate(x.y, r.x) ^ a;
  a += b;
  b = rotate(b, r.y) ^ a;
  a += b;
  b = rotate(b, r.z) ^ a;
  a += b;
  b = rotate(b, r.w) ^ a;
  return vec2(a, b);
}

fn threefry(counter: vec2<u32>, key: vec2<u32>) -> vec2<u32> {
  let third = 0x1bd11bdau ^ key.x ^ key.y;
  let even = vec4(13u, 15u, 26u, 6u);
  let odd = vec4(17u, 29u, 16u, 24u);
  var x = mix4(counter + key, even) + vec2(key.y, third + 1u);
  x = mix4(x, odd) + vec2(third, key.x + 2u);
  x = mix4(x, even) + vec2(key.x, key.y + 3u);
  x = mix4(x, odd) + vec2(key.y, third + 4u);
  return mix4(x, even) + vec2(third, key.x + 5u);
}

// What a number is for: streams of one seed that never meet.
const STREAM_TOKEN = 0u;
const STREAM_ORDER = 1u;
const STREAM_TIME = 2u;

// Uniform in [0, 1), a multiple of 2^-24. choice < 1024, pass < 2^20.
fn uniform_at(seed: vec2<u32>, choice: u32, stream: u32, position: u32, step: u32) -> f32 {
  let counter = vec2(position, (stream << 30u) | (choice << 20u) | step);
  return f32(threefry(counter, seed).x >> 8u) * 5.9604644775390625e-8;
}
