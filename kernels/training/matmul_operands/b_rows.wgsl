// Fragment: B(k, j) = b[j, k].

fn load_b(column4: u32, step: u32) -> FourRows {
  let at = (params.b_first + column4 * 4u) * params.b_stride + step;
  let p = b[at];
  let q = b[at + params.b_stride];
  let r = b[at + 2u * params.b_stride];
  let s = b[at + 3u * params.b_stride];
  return FourRows(
    vec4(p.x, q.x, r.x, s.x),
    vec4(p.y, q.y, r.y, s.y),
    vec4(p.z, q.z, r.z, s.z),
    vec4(p.w, q.w, r.w, s.w),
  );
}
