// Weights stored as int8, four to a word: [tile][k / 16][32 columns] vectors of 16 along k; and for
// every 32 along k the scales of a lane's 4 columns: [tile][k / 32][8 lanes].
@group(1) @binding(1) var<storage, read> scale: array<vec4<f32>>;

// 4 steps: two in a vector of each of a lane's 4 columns.
struct Block {
  first: Columns,
  second: Columns,
  scales: vec4<f32>,
}

fn open_weights(tile: u32, steps: u32, step: u32, lane: u32) -> Weights {
  let columns = load_columns(tile * (steps / 2u) + step / 2u, lane);
  return scaled_half(columns, step % 2u, scale[(tile * (steps / 4u) + step / 4u) * 8u + lane]);
}

fn open_block(tile: u32, steps: u32, step: u32, lane: u32) -> Block {
  let block = tile * (steps / 4u) + step / 4u;
  return Block(
    load_columns(block * 2u, lane),
    load_columns(block * 2u + 1u, lane),
    scale[block * 8u + lane],
  );
}

fn weights_of(block: Block, i: u32) -> Weights {
  if (i < 2u) {
    return scaled_half(block.first, i, block.scales);
  }
  return scaled_half(block.second, i - 2u, block.scales);
}

// The first or the second step that vectors hold.
fn scaled_half(columns: Columns, half: u32, scales: vec4<f32>) -> Weights {
  let is_second = half == 1u;
  let p = select(columns.a.xy, columns.a.zw, is_second);
  let q = select(columns.b.xy, columns.b.zw, is_second);
  let r = select(columns.c.xy, columns.c.zw, is_second);
  let s = select(columns.d.xy, columns.d.zw, is_second);
  return weights_by_k(
    vec4<f32>(unpack4xI8(p.x)) * scales.x,
    vec4<f32>(unpack4xI8(q.x)) * scales.y,
    vec4<f32>(unpack4xI8(r.x)) * scales.z,
    vec4<f32>(unpack4xI8(s.x)) * scales.w,
    vec4<f32>(unpack4xI8(p.y)) * scales.x,
    vec4<f32>(unpack4xI8(q.y)) * scales.y,
    vec4<f32>(unpack4xI8(r.y)) * scales.z,
    vec4<f32>(unpack4xI8(s.y)) * scales.w,
  );
}
