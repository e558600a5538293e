// Fragment: A(i, k) = a[i, k].

fn stage_a(place: u32, row: u32, step: u32) {
  let line = place / 2u;
  let part = a[(params.a_first + row + line) * params.a_stride + step / 4u + place % 2u];
  let at = place % 2u * 4u * SIDE + line;
  block_a[at] = part.x;
  block_a[at + SIDE] = part.y;
  block_a[at + 2u * SIDE] = part.z;
  block_a[at + 3u * SIDE] = part.w;
}
