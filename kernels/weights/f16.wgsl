// Weights stored as f16, two to a word: [tile][k / 8][32 columns] vectors of 8 along k.
fn open_weights(tile: u32, steps: u32, step: u32, lane: u32) -> Weights {
  let columns = load_columns(tile * steps + step, lane);
  let p = columns.a;
  let q = columns.b;
  let r = columns.c;
  let s = columns.d;
  let a = vec4(unpack2x16float(p.x), unpack2x16float(p.y));
  let b = vec4(unpack2x16float(q.x), unpack2x16float(q.y));
  let c = vec4(unpack2x16float(r.x), unpack2x16float(r.y));
  let d = vec4(unpack2x16float(s.x), unpack2x16float(s.y));
  let e = vec4(unpack2x16float(p.z), unpack2x16float(p.w));
  let f = vec4(unpack2x16float(q.z), unpack2x16float(q.w));
  let g = vec4(unpack2x16float(r.z), unpack2x16float(r.w));
  let h = vec4(unpack2x16float(s.z), unpack2x16float(s.w));
  return Weights(
    vec4(a.x, b.x, c.x, d.x),
    vec4(a.y, b.y, c.y, d.y),
    vec4(a.z, b.z, c.z, d.z),
    vec4(a.w, b.w, c.w, d.w),
    vec4(e.x, f.x, g.x, h.x),
    vec4(e.y, f.y, g.y, h.y),
    vec4(e.z, f.z, g.z, h.z),
    vec4(e.w, f.w, g.w, h.w),
  );
}
