// Fragment: B(k, j) = b[j, k].

fn stage_b(square: u32, column: u32, step: u32) {
  let line = params.b_first + column + square / 2u * 4u;
  let at = line * params.b_stride + step / 4u + square % 2u;
  let p = b[at];
  let q = b[at + params.b_stride];
  let r = b[at + 2u * params.b_stride];
  let s = b[at + 3u * params.b_stride];
  turn_b(square % 2u * 4u * SIDE4 + square / 2u, p, q, r, s);
}
