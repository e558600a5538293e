// Fragment: a sequence as the device keeps it. The host writes it when the sequence joins; from then
// on the passes move it by themselves (plan.wgsl, reveal.wgsl), so that no step waits for the host.
// The same fields in the same order: src/model/sequence_state.ts.
struct Sequence {
  // What was asked, fixed.
  seed_low: u32,
  seed_high: u32,
  choice: u32,
  strategy: u32,
  // Denoising steps per block.
  steps: u32,
  threshold: f32,
  entropy_bound: f32,
  temperature: f32,
  top_p: f32,
  top_k: u32,
  block_size: u32,
  // Blocks that a block sees, itself included.
  window: u32,
  // Generation goes from position prompt_end to end - 1.
  prompt_end: u32,
  end: u32,
  // NO_TOKEN where nothing ends it early.
  stop_token: u32,

  // Where it stands.
  phase: u32,
  // Position of the current block.
  start: u32,
  // Masks left in it.
  masked: u32,
  // Steps and forward passes it took so far.
  step: u32,
  nfe: u32,
  // Noise levels: now, and at the last step of the block before it.
  time: f32,
  commit_time: f32,
  // Its heads in this pass.
  first_head: u32,
  heads: u32,
}

const NO_TOKEN = 0xffffffffu;

const PHASE_IDLE = 0u;
const PHASE_DENOISE = 1u;

const FIRST_HITTING = 0u;
const ANCESTRAL = 1u;
const SEQUENTIAL = 2u;
const LOW_CONFIDENCE_STATIC = 3u;
const LOW_CONFIDENCE_DYNAMIC = 4u;
const ENTROPY_BOUNDED = 5u;

// Tokens that the schedule wants in this step: ⌈masked left / steps left⌉.
fn quota(sequence: Sequence) -> u32 {
  if (sequence.strategy == FIRST_HITTING) {
    return 1u;
  }
  let left = max(sequence.steps - min(sequence.step, sequence.steps), 1u);
  return (sequence.masked + left - 1u) / left;
}
