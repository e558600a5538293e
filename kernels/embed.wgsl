// x[r, :] = E[token of row r, :]
//
// E: rows FIRST … FIRST + TOKENS - 1 of the [vocabulary, WIDTH] embedding (a part of a split
// matrix), opened by an embedding fragment, which knows in what order it lies. x: [rows, WIDTH] f32. One invocation copies 4
// values; rows whose token lies in another part are left to that part's dispatch.

struct Params {
  first: u32,
  tokens: u32,
}

override WIDTH4: u32;
const LANES = 64u;

@group(0) @binding(0) var<storage, read> rows: array<Row>;
@group(0) @binding(1) var<storage, read> counts: array<u32>;
@group(0) @binding(2) var<storage, read_write> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> params: Params;

@compute @workgroup_size(LANES)
fn embed(@builtin(global_invocation_id) id: vec3<u32>) {
  let row = id.y;
  if (row >= counts[0] || id.x >= WIDTH4) {
    return;
  }
  let token = rows[row].token;
  if (token < params.first || token - params.first >= params.tokens) {
    return;
  }
  x[row * WIDTH4 + id.x] = embedding4((token - params.first) * WIDTH4 + id.x);
}
