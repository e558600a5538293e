// Fragment: A(i, k) = a[k, i].

fn stage_a(place: u32, row: u32, step: u32) {
  let k = params.a_first + step + place / 16u;
  let part = a[k * params.a_stride + row / 4u + place % 16u];
  let at = place / 16u * SIDE + place % 16u * 4u;
  block_a[at] = part.x;
  block_a[at + 1u] = part.y;
  block_a[at + 2u] = part.z;
  block_a[at + 3u] = part.w;
}
