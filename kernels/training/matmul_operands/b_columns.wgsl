// Fragment: B(k, j) = b[k, j].

fn load_b(column4: u32, step: u32) {
  let at = (params.b_first + step * 4u) * params.b_stride + column4;
  b0 = b[at];
  b1 = b[at + params.b_stride];
  b2 = b[at + 2u * params.b_stride];
  b3 = b[at + 3u * params.b_stride];
}
