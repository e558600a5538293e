// Weights stored as int8, four to a word: [tile][k / 16][4][8 lanes] vectors of 16 along k; and for
// every 32 along k the scales of a lane's 4 columns: [tile][k / 32][8 lanes].
@group(1) @binding(0) var<storage, read> weight: array<vec4<u32>>;
@group(1) @binding(1) var<storage, read> scale: array<vec4<f32>>;

fn open_weights(tile: u32, steps: u32, step: u32, lane: u32) {
  let at = (tile * (steps / 2u) + step / 2u) * 32u + lane;
  let is_second = step % 2u == 1u;
  let p = weight[at];
  let q = weight[at + 8u];
  let r = weight[at + 16u];
  let s = weight[at + 24u];
  let scales = scale[(tile * (steps / 4u) + step / 4u) * 8u + lane];
  let a = vec4<f32>(unpack4xI8(select(p.x, p.z, is_second)));
  let b = vec4<f32>(unpack4xI8(select(q.x, q.z, is_second)));
  let c = vec4<f32>(unpack4xI8(select(r.x, r.z, is_second)));
  let d = vec4<f32>(unpack4xI8(select(s.x, s.z, is_second)));
  w0 = scales * vec4(a.x, b.x, c.x, d.x);
  w1 = scales * vec4(a.y, b.y, c.y, d.y);
  w2 = scales * vec4(a.z, b.z, c.z, d.z);
  w3 = scales * vec4(a.w, b.w, c.w, d.w);
  let e = vec4<f32>(unpack4xI8(select(p.y, p.w, is_second)));
  let f = vec4<f32>(unpack4xI8(select(q.y, q.w, is_second)));
  let g = vec4<f32>(unpack4xI8(select(r.y, r.w, is_second)));
  let h = vec4<f32>(unpack4xI8(select(s.y, s.w, is_second)));
  w4 = scales * vec4(e.x, f.x, g.x, h.x);
  w5 = scales * vec4(e.y, f.y, g.y, h.y);
  w6 = scales * vec4(e.z, f.z, g.z, h.z);
  w7 = scales * vec4(e.w, f.w, g.w, h.w);
}
