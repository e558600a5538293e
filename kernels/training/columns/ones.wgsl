// Fragment: the sum itself.

struct Params {
  rows: u32,
}

@group(1) @binding(0) var<storage, read> params: Params;

fn factor(row: u32, column4: u32) -> vec4<f32> {
  return vec4(1.0);
}
