// Fragment: A(i, k) = a[i, k].

fn stage_a(square: u32, row: u32, step: u32) {
  let line = params.a_first + row + square / 2u * 4u;
  let at = line * params.a_stride + step / 4u + square % 2u;
  let p = a[at];
  let q = a[at + params.a_stride];
  let r = a[at + 2u * params.a_stride];
  let s = a[at + 3u * params.a_stride];
  turn_a(square % 2u * 4u * SIDE4 + square / 2u, p, q, r, s);
}
