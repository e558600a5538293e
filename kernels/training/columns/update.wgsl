// Fragment: times the update of gated_residual.wgsl, what dropout leaves of it.

struct Params {
  rows: u32,
  threshold: u32,
  keep_scale: f32,
  seed_low: u32,
  seed_high: u32,
  step: u32,
  site: u32,
}

@group(1) @binding(0) var<storage, read> update: array<vec4<f32>>;
@group(1) @binding(1) var<storage, read> params: Params;

fn factor(row: u32, column4: u32) -> vec4<f32> {
  let at = row * WIDTH4 + column4;
  return update[at] * kept(at);
}
