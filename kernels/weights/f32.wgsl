// Weights stored as f32: [tile][k / 4][4][8 lanes] vectors of 4 along k.
@group(1) @binding(0) var<storage, read> weight: array<vec4<f32>>;

fn open_weights(tile: u32, steps: u32, step: u32, lane: u32) {
  let at = (tile * steps + step) * 64u + lane;
  let a = weight[at];
  let b = weight[at + 8u];
  let c = weight[at + 16u];
  let d = weight[at + 24u];
  w0 = vec4(a.x, b.x, c.x, d.x);
  w1 = vec4(a.y, b.y, c.y, d.y);
  w2 = vec4(a.z, b.z, c.z, d.z);
  w3 = vec4(a.w, b.w, c.w, d.w);
  let e = weight[at + 32u];
  let f = weight[at + 40u];
  let g = weight[at + 48u];
  let h = weight[at + 56u];
  w4 = vec4(e.x, f.x, g.x, h.x);
  w5 = vec4(e.y, f.y, g.y, h.y);
  w6 = vec4(e.z, f.z, g.z, h.z);
  w7 = vec4(e.w, f.w, g.w, h.w);
}
