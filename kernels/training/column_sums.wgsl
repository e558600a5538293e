// y[s, c] = Σ over rows r of segment s of a[r, c] · f(r, c)
//
// a: [rows, 4 WIDTH4] f32. Segment s: rows from starts[s] to starts[s + 1], but none from ROWS on.
// f is a fragment's: fn factor(row, column4). An invocation sums 4 columns of a segment, in the
// order of rows, so that the result is always the same; sum_segments.wgsl and norm_parameters.wgsl
// add the segments up.

override WIDTH4: u32;
const LANES = 8u;

@group(0) @binding(0) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> starts: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(LANES)
fn column_sums(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let column4 = group.x * LANES + lane;
  if (column4 >= WIDTH4) {
    return;
  }
  let end = min(starts[group.y + 1u], params.rows);
  var sum = vec4(0.0);
  for (var row = starts[group.y]; row < end; row++) {
    sum += a[row * WIDTH4 + column4] * factor(row, column4);
  }
  y[group.y * WIDTH4 + column4] = sum;
}
