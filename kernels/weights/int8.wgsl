// Weights stored as int8, four to a word: [tile][k / 16][32 columns] vectors of 16 along k; and for
// every 32 along k the scales of a lane's 4 columns: [tile][k / 32][8 lanes].
@group(1) @binding(1) var<storage, read> scale: array<vec4<f32>>;

// The steps of a block that are still to come: two words a step of each of a lane's 4 columns.
var<private> coming: Columns;
var<private> later: Columns;
var<private> scales: vec4<f32>;

fn open_weights(tile: u32, steps: u32, step: u32, lane: u32) {
  let columns = load_columns(tile * (steps / 2u) + step / 2u, lane);
  scales = scale[(tile * (steps / 4u) + step / 4u) * 8u + lane];
  let is_second = step % 2u == 1u;
  open_words(
    select(columns.a.xy, columns.a.zw, is_second),
    select(columns.b.xy, columns.b.zw, is_second),
    select(columns.c.xy, columns.c.zw, is_second),
    select(columns.d.xy, columns.d.zw, is_second),
  );
}

// Loads 4 steps, from `step` on, a multiple of 4; open_next opens one after the other.
fn open_block(tile: u32, steps: u32, step: u32, lane: u32) {
  let block = tile * (steps / 4u) + step / 4u;
  coming = load_columns(block * 2u, lane);
  later = load_columns(block * 2u + 1u, lane);
  scales = scale[block * 8u + lane];
}

fn open_next() {
  open_words(coming.a.xy, coming.b.xy, coming.c.xy, coming.d.xy);
  coming = Columns(
    vec4(coming.a.zw, later.a.xy),
    vec4(coming.b.zw, later.b.xy),
    vec4(coming.c.zw, later.c.xy),
    vec4(coming.d.zw, later.d.xy),
  );
  later = Columns(later.a.zwzw, later.b.zwzw, later.c.zwzw, later.d.zwzw);
}

fn open_words(p: vec2<u32>, q: vec2<u32>, r: vec2<u32>, s: vec2<u32>) {
  let a = vec4<f32>(unpack4xI8(p.x));
  let b = vec4<f32>(unpack4xI8(q.x));
  let c = vec4<f32>(unpack4xI8(r.x));
  let d = vec4<f32>(unpack4xI8(s.x));
  w0 = scales * vec4(a.x, b.x, c.x, d.x);
  w1 = scales * vec4(a.y, b.y, c.y, d.y);
  w2 = scales * vec4(a.z, b.z, c.z, d.z);
  w3 = scales * vec4(a.w, b.w, c.w, d.w);
  let e = vec4<f32>(unpack4xI8(p.y));
  let f = vec4<f32>(unpack4xI8(q.y));
  let g = vec4<f32>(unpack4xI8(r.y));
  let h = vec4<f32>(unpack4xI8(s.y));
  w4 = scales * vec4(e.x, f.x, g.x, h.x);
  w5 = scales * vec4(e.y, f.y, g.y, h.y);
  w6 = scales * vec4(e.z, f.z, g.z, h.z);
  w7 = scales * vec4(e.w, f.w, g.w, h.w);
}
