// Fragment: writes a sequence back, for kernels that move it; see sequence.wgsl.

// Keeps where a sequence stands.
fn store_standing(slot: u32, sequence: Sequence) {
  let at = slot * SEQUENCE_VECTORS + 5u;
  let times = bitcast<vec2<u32>>(vec2(sequence.time, sequence.commit_time));
  sequences[at] = vec4(sequence.phase, sequence.start, sequence.masked, sequence.step);
  sequences[at + 1u] = vec4(sequence.past_steps, sequence.nfe, times);
  sequences[at + 2u] = vec4(sequence.first_head, sequence.heads, 0u, 0u);
}
