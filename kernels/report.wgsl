// Adds the details of proposals (inspect.wgsl) to the journal, for the sequences that ask.
//
// burst, sequences: as in plan.wgsl. journal: after what reveal.wgsl writes of a lane, DETAIL_WORDS
// for each position of the block; only those of positions with a head are written, whether their
// token falls or not. One workgroup a lane, between the proposals and what they come to: reveal.wgsl
// moves the sequence on.

struct Params {
  segment: u32,
}

const LANES = 64u;
const DETAIL_WORDS = 12u;
const JOURNAL_HEADER = 6u;

@group(0) @binding(0) var<storage, read> burst: array<u32>;
@group(0) @binding(1) var<storage, read> sequences: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> heads: array<Head>;
@group(0) @binding(3) var<storage, read> details: array<u32>;
@group(0) @binding(4) var<storage, read_write> journal: array<u32>;
@group(0) @binding(5) var<storage, read> params: Params;

@compute @workgroup_size(LANES)
fn report(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let slot = burst[params.segment + 2u + 2u * group.x];
  let entry = burst[params.segment + 3u + 2u * group.x];
  let sequence = load_sequence(slot);
  if (sequence.is_detailed == 0u || sequence.phase == PHASE_IDLE) {
    return;
  }
  let first = entry + JOURNAL_HEADER + 2u * sequence.block_size;
  for (var i = lane; i < sequence.heads * DETAIL_WORDS; i += LANES) {
    let head = sequence.first_head + i / DETAIL_WORDS;
    let word = i % DETAIL_WORDS;
    journal[first + heads[head].offset * DETAIL_WORDS + word] = details[head * DETAIL_WORDS + word];
  }
}
