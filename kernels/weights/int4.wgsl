// Weights stored as int4, eight to a word: [tile][k / 32][32 columns] vectors of 32 along k; and for
// every 32 along k the scale and the offset, two halves, of a lane's 4 columns: [tile][k / 32][8 lanes].
// A weight is integer · scale + offset.
@group(1) @binding(1) var<storage, read> scale: array<vec4<u32>>;

// The steps of a block that are still to come, of a lane's 4 columns each.
var<private> steps_a: vec4<u32>;
var<private> steps_b: vec4<u32>;
var<private> steps_c: vec4<u32>;
var<private> steps_d: vec4<u32>;
// Integers are taken out of their word where they are: the scale of one that begins at bit 4 n is
// divided by 16ⁿ, exactly.
var<private> scales_0: vec4<f32>;
var<private> scales_1: vec4<f32>;
var<private> scales_2: vec4<f32>;
var<private> scales_3: vec4<f32>;
var<private> offsets: vec4<f32>;

fn open_weights(tile: u32, steps: u32, step: u32, lane: u32) {
  let block = tile * (steps / 4u) + step / 4u;
  let word = step % 4u;
  let columns = load_columns(block, lane);
  open_scales(scale[block * 8u + lane]);
  open_words(vec4(columns.a[word], columns.b[word], columns.c[word], columns.d[word]));
}

// Loads 4 steps, from `step` on, a multiple of 4; open_next opens one after the other.
fn open_block(tile: u32, steps: u32, step: u32, lane: u32) {
  let block = tile * (steps / 4u) + step / 4u;
  let columns = load_columns(block, lane);
  steps_a = columns.a;
  steps_b = columns.b;
  steps_c = columns.c;
  steps_d = columns.d;
  open_scales(scale[block * 8u + lane]);
}

fn open_next() {
  open_words(vec4(steps_a.x, steps_b.x, steps_c.x, steps_d.x));
  steps_a = steps_a.yzww;
  steps_b = steps_b.yzww;
  steps_c = steps_c.yzww;
  steps_d = steps_d.yzww;
}

fn open_scales(words: vec4<u32>) {
  let a = unpack2x16float(words.x);
  let b = unpack2x16float(words.y);
  let c = unpack2x16float(words.z);
  let d = unpack2x16float(words.w);
  scales_0 = vec4(a.x, b.x, c.x, d.x);
  scales_1 = scales_0 * 0.0625;
  scales_2 = scales_0 * 0.00390625;
  scales_3 = scales_0 * 0.000244140625;
  offsets = vec4(a.y, b.y, c.y, d.y);
}

fn open_words(words: vec4<u32>) {
  let low = vec4<i32>(words);
  let high = vec4<i32>(words >> vec4(16u));
  w0 = fma(vec4<f32>(low & vec4(0xf)), scales_0, offsets);
  w1 = fma(vec4<f32>(low & vec4(0xf0)), scales_1, offsets);
  w2 = fma(vec4<f32>(low & vec4(0xf00)), scales_2, offsets);
  w3 = fma(vec4<f32>(low & vec4(0xf000)), scales_3, offsets);
  w4 = fma(vec4<f32>(high & vec4(0xf)), scales_0, offsets);
  w5 = fma(vec4<f32>(high & vec4(0xf0)), scales_1, offsets);
  w6 = fma(vec4<f32>(high & vec4(0xf00)), scales_2, offsets);
  w7 = fma(vec4<f32>(high & vec4(0xf000)), scales_3, offsets);
}
