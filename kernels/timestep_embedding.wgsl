// e[c, i] = cos(sigma[c] · f_i), e[c, HALF + i] = sin(sigma[c] · f_i), f_i = 10000^(-i / HALF)
//
// sigma: [conditions] f32. frequencies: [HALF] f32, rounded from float64. e: [conditions, 2 HALF] f32.
// Source: BD3-LM, TimestepEmbedder.timestep_embedding: cosines first.

override HALF: u32;
const LANES = 64u;

@group(0) @binding(0) var<storage, read> sigma: array<f32>;
@group(0) @binding(1) var<storage, read> frequencies: array<f32>;
@group(0) @binding(2) var<storage, read_write> e: array<f32>;

@compute @workgroup_size(LANES)
fn timestep_embedding(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= HALF) {
    return;
  }
  let angle = sigma[id.y] * frequencies[id.x];
  e[id.y * 2u * HALF + id.x] = cos(angle);
  e[id.y * 2u * HALF + HALF + id.x] = sin(angle);
}
