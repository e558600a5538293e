// Weights stored as f16, two to a word: [tile][k / 8][4][8 lanes] vectors of 8 along k.
@group(1) @binding(0) var<storage, read> weight: array<vec4<u32>>;

fn open_weights(tile: u32, steps: u32, step: u32, lane: u32) {
  let at = (tile * steps + step) * 32u + lane;
  let p = weight[at];
  let q = weight[at + 8u];
  let r = weight[at + 16u];
  let s = weight[at + 24u];
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
