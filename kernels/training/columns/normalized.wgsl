// Fragment: times the normalised x of layer_norm.wgsl.

struct Params {
  rows: u32,
  // 1 takes rows of x from the table.
  gathers: u32,
}

@group(1) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(1) @binding(1) var<storage, read> source_rows: array<u32>;
@group(1) @binding(2) var<storage, read> statistics: array<vec2<f32>>;
@group(1) @binding(3) var<storage, read> params: Params;

fn factor(row: u32, column4: u32) -> vec4<f32> {
  var source = row;
  if (params.gathers == 1u) {
    source = source_rows[row];
  }
  let own = statistics[row];
  return (x[source * WIDTH4 + column4] - own.x) * own.y;
}
