// Weights stored as int4, eight to a word: [tile][k / 32][32 columns] vectors of 32 along k; and for
// every 32 along k the scale and the offset, two halves, of a lane's 4 columns: [tile][k / 32][8 lanes].
// A weight is integer · scale + offset.
@group(1) @binding(1) var<storage, read> scale: array<vec4<u32>>;

// 4 steps: a word each in a vector of each of a lane's 4 columns.
struct Block {
  columns: Columns,
  scales: vec4<f32>,
  offsets: vec4<f32>,
}

fn open_weights(tile: u32, steps: u32, step: u32, lane: u32) -> Weights {
  return weights_of(open_block(tile, steps, step, lane), step % 4u);
}

fn open_block(tile: u32, steps: u32, step: u32, lane: u32) -> Block {
  let block = tile * (steps / 4u) + step / 4u;
  let words = scale[block * 8u + lane];
  let a = unpack2x16float(words.x);
  let b = unpack2x16float(words.y);
  let c = unpack2x16float(words.z);
  let d = unpack2x16float(words.w);
  return Block(load_columns(block, lane), vec4(a.x, b.x, c.x, d.x), vec4(a.y, b.y, c.y, d.y));
}

// Integers are taken out of their word where they are: the scale of one that begins at bit 4 n is
// divided by 16ⁿ, exactly.
fn weights_of(block: Block, i: u32) -> Weights {
  let columns = block.columns;
  let words = vec4(columns.a[i], columns.b[i], columns.c[i], columns.d[i]);
  let low = vec4<i32>(words);
  let high = vec4<i32>(words >> vec4(16u));
  let scales_1 = block.scales * 0.0625;
  let scales_2 = block.scales * 0.00390625;
  let scales_3 = block.scales * 0.000244140625;
  return Weights(
    fma(vec4<f32>(low & vec4(0xf)), block.scales, block.offsets),
    fma(vec4<f32>(low & vec4(0xf0)), scales_1, block.offsets),
    fma(vec4<f32>(low & vec4(0xf00)), scales_2, block.offsets),
    fma(vec4<f32>(low & vec4(0xf000)), scales_3, block.offsets),
    fma(vec4<f32>(high & vec4(0xf)), block.scales, block.offsets),
    fma(vec4<f32>(high & vec4(0xf0)), scales_1, block.offsets),
    fma(vec4<f32>(high & vec4(0xf00)), scales_2, block.offsets),
    fma(vec4<f32>(high & vec4(0xf000)), scales_3, block.offsets),
  );
}
