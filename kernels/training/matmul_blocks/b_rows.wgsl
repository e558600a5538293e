// Fragment: B(k, j) = b[j, k].

fn stage_b(place: u32, column: u32, step: u32) {
  let line = place / 2u;
  let part = b[(params.b_first + column + line) * params.b_stride + step / 4u + place % 2u];
  let at = place % 2u * 4u * SIDE + line;
  block_b[at] = part.x;
  block_b[at + SIDE] = part.y;
  block_b[at + 2u * SIDE] = part.z;
  block_b[at + 3u * SIDE] = part.w;
}
