// Fragment: a sequence as the device keeps it. The host writes it when the sequence joins; from then
// on the passes move it by themselves (plan.wgsl, reveal.wgsl), so that no step waits for the host.
// The same fields in the same order: src/model/sequence_state.ts.
struct Sequence {
  // What was asked, fixed.
  seed_low: u32,
  seed_high: u32,
  choice: u32,
  strategy: u32,
  // Denoising steps per sub-block.
  steps: u32,
  threshold: f32,
  entropy_bound: f32,
  temperature: f32,
  top_p: f32,
  top_k: u32,
  block_size: u32,
  // Of the block's sub-blocks the leftmost with masks is denoised; a divisor of block_size.
  sub_block_size: u32,
  // Blocks that a block sees, itself included.
  window: u32,
  // Generation goes from position prompt_end to end - 1.
  prompt_end: u32,
  end: u32,
  // What ends it early; NO_TOKEN fills the rest.
  stop_tokens: array<u32, 4>,
  // 1 where details of its tokens go to the journal, else 0.
  is_detailed: u32,

  // Where it stands.
  phase: u32,
  // Position of the current block.
  start: u32,
  // Masks left in it.
  masked: u32,
  // Steps that its current sub-block took so far, and the ones before that.
  step: u32,
  past_steps: u32,
  // Forward passes that it took so far.
  nfe: u32,
  // Noise levels: now, and at the last step of the block before it.
  time: f32,
  commit_time: f32,
  // Its heads in this pass.
  first_head: u32,
  heads: u32,
}

// Where sequences lie: `sequences` of a kernel, in vectors that cost one access each. What was asked
// fills the first five; two words of the last stay free.
const SEQUENCE_VECTORS = 8u;

fn load_sequence(slot: u32) -> Sequence {
  let at = slot * SEQUENCE_VECTORS;
  let a = sequences[at];
  let b = sequences[at + 1u];
  let c = sequences[at + 2u];
  let d = sequences[at + 3u];
  let e = sequences[at + 4u];
  let f = sequences[at + 5u];
  let g = sequences[at + 6u];
  let h = sequences[at + 7u];
  let reals = bitcast<vec4<f32>>(b);
  let stops = array<u32, 4>(d.w, e.x, e.y, e.z);
  return Sequence(
    a.x, a.y, a.z, a.w, b.x, reals.y, reals.z, reals.w, bitcast<f32>(c.x), c.y, c.z, c.w, d.x, d.y, d.z,
    stops, e.w, f.x, f.y, f.z, f.w, g.x, g.y, bitcast<f32>(g.z), bitcast<f32>(g.w), h.x, h.y,
  );
}

const NO_TOKEN = 0xffffffffu;

const PHASE_IDLE = 0u;
const PHASE_DENOISE = 1u;
// Its clean block is committed by itself, and gives the seed: the first token of the next one.
const PHASE_COMMIT = 2u;

const FIRST_HITTING = 0u;
const ANCESTRAL = 1u;
const SEQUENTIAL = 2u;
const RANDOM = 3u;
// From here on the network's output decides which positions fall.
const LOW_CONFIDENCE_STATIC = 4u;
const LOW_CONFIDENCE_DYNAMIC = 5u;
const ENTROPY_BOUNDED = 6u;

// 1 where quotas come from a schedule made for all masks of a sub-block, else 0.
override SCHEDULED: u32;

// Masks left in the sub-block: those after it are full of them.
fn masked_in_sub_block(sequence: Sequence) -> u32 {
  return select(0u, (sequence.masked - 1u) % sequence.sub_block_size + 1u, sequence.masked > 0u);
}

// Tokens that this step wants. ⌈masked left / steps left⌉; or by the schedule, ⌊size / steps⌋ and one
// more in the first (size mod steps) steps, which an entropy bound takes no heed of until the last.
// Source of the schedule: SDAR, `generate.py`, `get_num_transfer_tokens`.
fn quota(sequence: Sequence) -> u32 {
  let masked = masked_in_sub_block(sequence);
  let left = max(sequence.steps - min(sequence.step, sequence.steps), 1u);
  if (sequence.strategy == FIRST_HITTING) {
    return 1u;
  }
  if (SCHEDULED == 0u) {
    return (masked + left - 1u) / left;
  }
  if (sequence.strategy == ENTROPY_BOUNDED) {
    return select(1u, masked, left == 1u);
  }
  let size = sequence.sub_block_size;
  let remainder = select(0u, 1u, sequence.step < size % sequence.steps);
  return min(size / sequence.steps + remainder, masked);
}
