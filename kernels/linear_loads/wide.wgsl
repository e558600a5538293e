// 32 bytes at a time, as vectors of 64-bit integers, from tiles by rows: on a software adapter such a
// load takes hardly longer than one of 16 bytes.
@group(0) @binding(0) var<storage, read> x: array<vec4<u64>>;
@group(1) @binding(0) var<storage, read> weight: array<vec4<u64>>;

fn load_columns(vectors: u32, lane: u32) -> Columns {
  let at = (vectors * 8u + lane) * 2u;
  let ab = take_apart(weight[at]);
  let cd = take_apart(weight[at + 1u]);
  return Columns(ab.low, ab.high, cd.low, cd.high);
}

// 8 neighbouring k of a row.
fn load_x(at: u32) -> Octet {
  return octet_of(x[at]);
}
