// Weights stored as f16, two to a word: [tile][k / 8][32 columns] vectors of 8 along k.
fn open_weights(tile: u32, steps: u32, step: u32, lane: u32) {
  let columns = load_columns(tile * steps + step, lane);
  let p = columns.a;
  let q = columns.b;
  let r = columns.c;
  let s = columns.d;
  var a = unpack2x16float(p.x);
  var b = unpack2x16float(q.x);
  var c = unpack2x16float(r.x);
  var d = unpack2x16float(s.x);
  w0 = vec4(a.x, b.x, c.x, d.x);
  w1 = vec4(a.y, b.y, c.y, d.y);
  a = unpack2x16float(p.y);
  b = unpack2x16float(q.y);
  c = unpack2x16float(r.y);
  d = unpack2x16float(s.y);
  w2 = vec4(a.x, b.x, c.x, d.x);
  w3 = vec4(a.y, b.y, c.y, d.y);
  a = unpack2x16float(p.z);
  b = unpack2x16float(q.z);
  c = unpack2x16float(r.z);
  d = unpack2x16float(s.z);
  w4 = vec4(a.x, b.x, c.x, d.x);
  w5 = vec4(a.y, b.y, c.y, d.y);
  a = unpack2x16float(p.w);
  b = unpack2x16float(q.w);
  c = unpack2x16float(r.w);
  d = unpack2x16float(s.w);
  w6 = vec4(a.x, b.x, c.x, d.x);
  w7 = vec4(a.y, b.y, c.y, d.y);
}
