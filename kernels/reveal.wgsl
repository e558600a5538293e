// Turns proposals into tokens, in place: the end of a denoising step. Strategies that planned their
// positions reveal all heads; the others choose among them by confidence or entropy. A block without
// masks is clean: if it holds the stop token, or reaches the end, the sequence is over. What the pass
// did goes to the journal, which the host reads once a burst.
//
// burst, sequences, tokens: as in plan.wgsl. journal: per lane and pass, at the place the host gave:
// status, start, step, nfe, masks left, the block's tokens, and for each of its positions the
// confidence with which this pass revealed it, 0 where it did not. One workgroup a lane; the first
// also clears the counts for the next pass.
// Source: the rules of src/diffusion/remasking, each by the file of its name.

struct Params {
  segment: u32,
}

override BLOCK: u32;
const LANES = 64u;
const MAX_BLOCK = 1024u;

const STATUS_IDLE = 0u;
const STATUS_DENOISED = 1u;
const STATUS_FAILED = 2u;
const JOURNAL_HEADER = 6u;

@group(0) @binding(0) var<storage, read> burst: array<u32>;
@group(0) @binding(1) var<storage, read_write> sequences: array<Sequence>;
@group(0) @binding(2) var<storage, read_write> tokens: array<u32>;
@group(0) @binding(3) var<storage, read> heads: array<Head>;
@group(0) @binding(4) var<storage, read> proposals: array<Proposal>;
@group(0) @binding(5) var<storage, read_write> counts: array<u32>;
@group(0) @binding(6) var<storage, read_write> journal: array<u32>;
@group(0) @binding(7) var<storage, read> params: Params;

var<workgroup> sequence: Sequence;
// What the choice goes by, larger first, and the rank that follows.
var<workgroup> score: array<f32, MAX_BLOCK>;
var<workgroup> ranked: array<u32, MAX_BLOCK>;
// Of the tokens that this pass reveals, by their place in the block; 0 for all others.
var<workgroup> confidence: array<f32, MAX_BLOCK>;
var<workgroup> revealed: u32;
var<workgroup> failures: atomic<u32>;
var<workgroup> stops: atomic<u32>;

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

// What the step changed in the sequence.
fn settle() -> u32 {
  sequence.masked -= revealed;
  sequence.step += 1u;
  sequence.nfe += 1u;
  if (atomicLoad(&failures) > 0u) {
    sequence.phase = PHASE_IDLE;
    return STATUS_FAILED;
  }
  let is_last = sequence.start + sequence.block_size >= sequence.end;
  if (sequence.masked == 0u && (is_last || atomicLoad(&stops) > 0u)) {
    sequence.phase = PHASE_IDLE;
  }
  return STATUS_DENOISED;
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
  if (lane == 0u) {
    sequence = sequences[slot];
  }
  workgroupBarrier();
  if (sequence.phase == PHASE_IDLE) {
    if (lane == 0u) {
      journal[entry] = STATUS_IDLE;
    }
  } else {
    rank_heads(lane);
    for (var rank = lane; rank < revealed; rank += LANES) {
      let head = sequence.first_head + ranked[rank];
      let offset = heads[head].offset;
      tokens[place(slot, sequence.start + offset)] = proposals[head].token;
      confidence[offset] = proposals[head].confidence;
    }
    // What follows reads the tokens and confidences written above.
    storageBarrier();
    workgroupBarrier();
    for (var j = lane; j < sequence.block_size; j += LANES) {
      let position = sequence.start + j;
      let token = tokens[place(slot, position)];
      journal[entry + JOURNAL_HEADER + j] = token;
      journal[entry + JOURNAL_HEADER + sequence.block_size + j] = bitcast<u32>(confidence[j]);
      if (token == sequence.stop_token && position >= sequence.prompt_end) {
        atomicAdd(&stops, 1u);
      }
    }
    workgroupBarrier();
    if (lane == 0u) {
      journal[entry] = settle();
      journal[entry + 1u] = sequence.start;
      journal[entry + 2u] = sequence.step;
      journal[entry + 3u] = sequence.nfe;
      journal[entry + 4u] = sequence.masked;
      sequences[slot] = sequence;
    }
  }
}
