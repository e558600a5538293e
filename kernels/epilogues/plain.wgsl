// y = sum.
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;

fn finish(row: u32, column4: u32, sum: vec4<f32>) {
  y[row * (params.stride / 4u) + column4] = sum;
}
