// Fragment: B(k, j) = b[k, j].

fn stage_b(square: u32, column: u32, step: u32) {
  let k = square / SIDE4 * 4u;
  let at = (params.b_first + step + k) * params.b_stride + column / 4u + square % SIDE4;
  let to = k * SIDE4 + square % SIDE4;
  block_b[to] = b[at];
  block_b[to + SIDE4] = b[at + params.b_stride];
  block_b[to + 2u * SIDE4] = b[at + 2u * params.b_stride];
  block_b[to + 3u * SIDE4] = b[at + 3u * params.b_stride];
}
