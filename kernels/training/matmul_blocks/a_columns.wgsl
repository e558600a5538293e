// Fragment: A(i, k) = a[k, i].

fn stage_a(square: u32, row: u32, step: u32) {
  let k = square / SIDE4 * 4u;
  let at = (params.a_first + step + k) * params.a_stride + row / 4u + square % SIDE4;
  let to = k * SIDE4 + square % SIDE4;
  block_a[to] = a[at];
  block_a[to + SIDE4] = a[at + params.a_stride];
  block_a[to + 2u * SIDE4] = a[at + 2u * params.a_stride];
  block_a[to + 3u * SIDE4] = a[at + 3u * params.a_stride];
}
