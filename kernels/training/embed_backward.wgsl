// gradient[token, :] += Σ over rows r with that token of dx[r, :]
//
// dx: [rows, 4 WIDTH4] f32. The rows are sorted by token: uses[i] is a token, where its rows begin
// in `order`, and where they end. An invocation takes 4 columns of a token and adds in the order of
// rows: no two write the same place, and the result is always the same.

struct Use {
  token: u32,
  first: u32,
  end: u32,
}

override WIDTH4: u32;
const LANES = 8u;

@group(0) @binding(0) var<storage, read> uses: array<Use>;
@group(0) @binding(1) var<storage, read> order: array<u32>;
@group(0) @binding(2) var<storage, read> dx: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> gradient: array<vec4<f32>>;

@compute @workgroup_size(LANES)
fn embed_backward(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let column4 = group.x * LANES + lane;
  if (column4 >= WIDTH4) {
    return;
  }
  let own = uses[group.y];
  var sum = gradient[own.token * WIDTH4 + column4];
  for (var i = own.first; i < own.end; i++) {
    sum += dx[order[i] * WIDTH4 + column4];
  }
  gradient[own.token * WIDTH4 + column4] = sum;
}
