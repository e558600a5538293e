// Fragment: what the kernels for c = a · b have in common.
//
// c[i, j] = Σ over k of A(i, k) · B(k, j) + bias[j], or added to what c holds. How A and B lie in
// memory is said by a fragment: rows of a and b count from A_FIRST and B_FIRST on, those of c from
// C_FIRST. K is a multiple of 8, N of 4; the order of a sum depends on K alone.

struct Params {
  m: u32,
  n: u32,
  k: u32,
  // First rows, and the width of a row as vectors of 4.
  a_first: u32,
  b_first: u32,
  c_first: u32,
  a_stride: u32,
  b_stride: u32,
  c_stride: u32,
  // 1 adds to c.
  accumulates: u32,
  // 1 adds the bias.
  is_biased: u32,
  // Slices of so much of k are summed by themselves: those after the first go to m rows of c each.
  slice: u32,
}

@group(0) @binding(0) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> b: array<vec4<f32>>;
// Bound and not read where there is none.
@group(0) @binding(2) var<storage, read> bias: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> c: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> params: Params;

fn finish(row: u32, column4: u32, sum: vec4<f32>) {
  let at = (params.c_first + row) * params.c_stride + column4;
  var result = sum;
  if (params.is_biased == 1u) {
    result += bias[column4];
  }
  if (params.accumulates == 1u) {
    result += c[at];
  }
  c[at] = result;
}
