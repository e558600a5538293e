// Fragment: the rows of a pass for which a token is drawn, with what the draw needs.
struct Head {
  // Index into the rows of the pass.
  row: u32,
  // Place in its block.
  offset: u32,
  // 0 takes the most probable token.
  temperature: f32,
  top_p: f32,
  // 0 is off.
  top_k: u32,
  // In [0, 1).
  uniform_draw: f32,
}
