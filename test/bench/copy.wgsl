// y = x, 16 bytes an invocation: what a kernel can move that does nothing else.

const LANES = 64u;
// Workgroups of a row of the grid.
const ROW_GROUPS = 32768u;

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(LANES)
fn copy(@builtin(global_invocation_id) id: vec3<u32>) {
  let at = id.y * ROW_GROUPS * LANES + id.x;
  y[at] = x[at];
}
