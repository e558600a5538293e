// Fragment: B(k, j) = b[k, j].

fn stage_b(place: u32, column: u32, step: u32) {
  let k = params.b_first + step + place / 16u;
  let part = b[k * params.b_stride + column / 4u + place % 16u];
  let at = place / 16u * SIDE + place % 16u * 4u;
  block_b[at] = part.x;
  block_b[at + 1u] = part.y;
  block_b[at + 2u] = part.z;
  block_b[at + 3u] = part.w;
}
