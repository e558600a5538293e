// Fragment: B(k, j) = b[k, j].

fn load_b(column4: u32, step: u32) -> FourRows {
  let at = (params.b_first + step * 4u) * params.b_stride + column4;
  return FourRows(
    b[at],
    b[at + params.b_stride],
    b[at + 2u * params.b_stride],
    b[at + 3u * params.b_stride],
  );
}
