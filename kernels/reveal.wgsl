// Turns proposals into tokens, in place: the end of a denoising step. Strategies that planned their
// positions reveal all heads; the others choose among them by confidence or entropy. A block without
// masks is clean: if it holds a stop token, or reaches the end, the sequence is over. What the pass
// did goes to the journal, which the host reads once a burst.
//
// Where logits are SHIFTED a commit's proposal opens the next block, and a sequence is over as soon as
// no mask stands before its stop token or its end.
//
// burst, sequences, tokens: as in plan.wgsl. journal: per lane and pass, at the place the host gave:
// status, start, steps, nfe, masks left, whether the sequence is over, the block's tokens, and for
// each of its positions the confidence with which this pass revealed it, 0 where it did not; what
// follows is report.wgsl's. One workgroup a lane; the first also clears the counts for the next pass.
// Source: the rules of src/diffusion/remasking, each by the file of its name.

struct Params {
  segment: u32,
}

override BLOCK: u32;
override MASK: u32;
// 1 where the row before a token has its logits, else 0.
override SHIFTED: u32;
const LANES = 64u;
const MAX_BLOCK = 1024u;

const STATUS_IDLE = 0u;
const STATUS_DENOISED = 1u;
const STATUS_FAILED = 2u;
const STATUS_COMMITTED = 3u;
const JOURNAL_HEADER = 6u;

@group(0) @binding(0) var<storage, read> burst: array<u32>;
@group(0) @binding(1) var<storage, read_write> sequences: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> tokens: array<u32>;
@group(0) @binding(3) var<storage, read> heads: array<Head>;
@group(0) @binding(4) var<storage, read> proposals: array<Proposal>;
@group(0) @binding(5) var<storage, read_write> counts: array<u32>;
@group(0) @binding(6) var<storage, read_write> journal: array<u32>;
@group(0) @binding(7) var<storage, read> params: Params;

// All lanes move it alike; the first one keeps where it stands.
var<private> sequence: Sequence;
// What the choice goes by, larger first, and the rank that follows.
var<workgroup> score: array<f32, MAX_BLOCK>;
var<workgroup> ranked: array<u32, MAX_BLOCK>;
// Of the tokens that this pass reveals, by their place in the block; 0 for all others.
var<workgroup> confidence: array<f32, MAX_BLOCK>;
var<workgroup> revealed: u32;
var<workgroup> failures: atomic<u32>;
// Offsets of the block's first mask and of its first generated stop token.
var<workgroup> first_mask: atomic<u32>;
var<workgroup> first_stop: atomic<u32>;

fn place(slot: u32, position: u32) -> u32 {
  return slot * 2u * BLOCK + position % (2u * sequence.block_size);
}

// How many of the ranked heads fall: the first `count` of them.
fn choose() -> u32 {
  let wanted = quota(sequence);
  var within = 0u;
  switch sequence.strategy {
    case LOW_CONFIDENCE_STATIC: {}
    case LOW_CONFIDENCE_DYNAMIC: {
      for (var rank = 0u; rank < sequence.heads; rank++) {
        within += select(0u, 1u, score[ranked[rank]] > sequence.threshold);
      }
    }
    case ENTROPY_BOUNDED: {
      var sum = 0.0;
      for (var rank = 0u; rank < sequence.heads; rank++) {
        sum -= score[ranked[rank]];
        within += select(0u, 1u, sum < sequence.entropy_bound);
      }
    }
    default: {
      return sequence.heads;
    }
  }
  return min(max(wanted, within), sequence.heads);
}

fn rank_heads(lane: u32) {
  for (var i = lane; i < sequence.heads; i += LANES) {
    let proposal = proposals[sequence.first_head + i];
    if (proposal.is_finite == 0u) {
      atomicAdd(&failures, 1u);
    }
    score[i] = select(proposal.confidence, -proposal.entropy, sequence.strategy == ENTROPY_BOUNDED);
  }
  workgroupBarrier();
  for (var i = lane; i < sequence.heads; i += LANES) {
    var rank = 0u;
    for (var other = 0u; other < sequence.heads; other++) {
      let precedes = score[other] > score[i] || (score[other] == score[i] && other < i);
      rank += select(0u, 1u, precedes);
    }
    ranked[rank] = i;
  }
  workgroupBarrier();
  if (lane == 0u) {
    revealed = choose();
  }
  workgroupBarrier();
}

// Fills the block with what fell.
fn fill(slot: u32, lane: u32) {
  for (var rank = lane; rank < revealed; rank += LANES) {
    let head = sequence.first_head + ranked[rank];
    let offset = heads[head].offset;
    tokens[place(slot, sequence.start + offset)] = proposals[head].token;
    confidence[offset] = proposals[head].confidence;
  }
}

// Opens the block after the one that was committed: its seed, then masks.
fn open_block(slot: u32, lane: u32) {
  let size = sequence.block_size;
  for (var j = lane; j < size; j += LANES) {
    let seed = proposals[sequence.first_head];
    tokens[place(slot, sequence.start + size + j)] = select(MASK, seed.token, j == 0u);
    confidence[j] = select(0.0, seed.confidence, j == 0u);
  }
}

fn is_stop(token: u32) -> bool {
  var found = false;
  for (var i = 0u; i < 4u; i++) {
    found |= token == sequence.stop_tokens[i];
  }
  return found && token != NO_TOKEN;
}

// Notes the block in the journal, and where its first mask and its first stop token are.
fn note_block(slot: u32, lane: u32, entry: u32) {
  for (var j = lane; j < sequence.block_size; j += LANES) {
    let position = sequence.start + j;
    let token = tokens[place(slot, position)];
    journal[entry + JOURNAL_HEADER + j] = token;
    journal[entry + JOURNAL_HEADER + sequence.block_size + j] = bitcast<u32>(confidence[j]);
    if (token == MASK) {
      atomicMin(&first_mask, j);
    } else if (position >= sequence.prompt_end && is_stop(token)) {
      atomicMin(&first_stop, j);
    }
  }
}

// What the step changed in the sequence.
fn settle() {
  if (sequence.phase == PHASE_COMMIT) {
    sequence.phase = PHASE_DENOISE;
    sequence.start += sequence.block_size;
    sequence.masked = sequence.block_size - 1u;
    sequence.step = 0u;
    sequence.past_steps = 0u;
    sequence.nfe = 0u;
    return;
  }
  let is_sub_block_clean = revealed == masked_in_sub_block(sequence);
  sequence.masked -= revealed;
  sequence.step += 1u;
  sequence.nfe += 1u;
  if (is_sub_block_clean && sequence.masked > 0u) {
    sequence.past_steps += sequence.step;
    sequence.step = 0u;
  }
}

// Whether nothing of the sequence is left to be decided.
fn is_over() -> bool {
  let stop = atomicLoad(&first_stop);
  let left = sequence.end - sequence.start;
  if (SHIFTED == 0u) {
    return sequence.masked == 0u && (left <= sequence.block_size || stop < sequence.block_size);
  }
  let known = min(atomicLoad(&first_mask), sequence.block_size);
  return stop < min(known, left) || left <= known;
}

@compute @workgroup_size(LANES)
fn reveal(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  if (group.x == 0u && lane < 2u) {
    counts[lane] = 0u;
  }
  if (group.x >= burst[params.segment]) {
    return;
  }
  let slot = burst[params.segment + 2u + 2u * group.x];
  let entry = burst[params.segment + 3u + 2u * group.x];
  sequence = load_sequence(slot);
  if (sequence.phase == PHASE_IDLE) {
    if (lane == 0u) {
      journal[entry] = STATUS_IDLE;
    }
    return;
  }
  let is_commit = sequence.phase == PHASE_COMMIT;
  rank_heads(lane);
  if (is_commit) {
    open_block(slot, lane);
  } else {
    fill(slot, lane);
  }
  settle();
  if (lane == 0u) {
    atomicStore(&first_mask, NO_TOKEN);
    atomicStore(&first_stop, NO_TOKEN);
  }
  // What follows reads all that was written above.
  storageBarrier();
  workgroupBarrier();
  note_block(slot, lane, entry);
  workgroupBarrier();
  if (lane == 0u) {
    let has_failed = atomicLoad(&failures) > 0u;
    let ends = has_failed || is_over();
    if (ends) {
      sequence.phase = PHASE_IDLE;
    }
    let status = select(STATUS_DENOISED, STATUS_COMMITTED, is_commit);
    journal[entry] = select(status, STATUS_FAILED, has_failed);
    journal[entry + 1u] = sequence.start;
    journal[entry + 2u] = sequence.past_steps + sequence.step;
    journal[entry + 3u] = sequence.nfe;
    journal[entry + 4u] = sequence.masked;
    journal[entry + 5u] = select(0u, 1u, ends);
    store_standing(slot, sequence);
  }
}
