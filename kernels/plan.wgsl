// Writes the rows of one pass. A sequence whose block is clean moves on to the next: the clean block
// goes along once more, to be committed, beside the new one, all masks. Then the rows that the head
// must run for: those that fall in this step where the strategy knows them from the seed alone, else
// all that are masked in the leftmost sub-block with masks. The host says which sequences take part;
// prompt rows come from it ready made.
//
// Where logits are SHIFTED, those for a token come from the row before it, for want of one from its
// own; a clean block is committed by itself, and its last row gives the next block's first token,
// the most probable one.
//
// burst: the host's tables; this pass's begins at SEGMENT: lanes, prompt rows, then (slot, place in
// the journal) a lane, then the prompt rows. tokens: [slots, 2 BLOCK] u32, where a block and the one
// before it lie at position mod 2 block_size. counts: rows and heads, zero before; sigma: two a lane
// (commit, denoise) and one for prompt rows, which are clean. One workgroup a lane and one for the
// prompt rows; they take their places among rows and heads as they come, since no result depends on
// the order of rows.

struct Params {
  segment: u32,
}

override BLOCK: u32;
override MASK: u32;
// 1 where the row before a token has its logits, else 0.
override SHIFTED: u32;
const LANES = 64u;
const MAX_BLOCK = 1024u;
const ROW_WORDS = 8u;
// -ln 1e-3, where the network's noise level ends.
// Source: BD3-LM, LogLinearNoise.sigma_max.
const MAX_SIGMA = 6.907755278982137;

@group(0) @binding(0) var<storage, read> burst: array<u32>;
@group(0) @binding(1) var<storage, read_write> sequences: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> tokens: array<u32>;
@group(0) @binding(3) var<storage, read_write> rows: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read_write> heads: array<Head>;
@group(0) @binding(5) var<storage, read_write> counts: array<atomic<u32>>;
@group(0) @binding(6) var<storage, read_write> sigma: array<f32>;
@group(0) @binding(7) var<storage, read> params: Params;

// All lanes move it alike; the first one keeps where it stands.
var<private> sequence: Sequence;
var<private> has_commit: u32;
// Where this workgroup's rows and heads begin.
var<workgroup> first_row: u32;
var<workgroup> first_head: u32;
// Sort keys of the masked positions in the order in which they fall; FALLEN where there is no mask.
var<workgroup> order: array<u32, MAX_BLOCK>;
var<workgroup> falls: array<u32, MAX_BLOCK>;
const FALLEN = 0xffffffffu;

fn sigma_at(time: f32) -> f32 {
  return min(-log(max(1.0 - time, 1e-9)), MAX_SIGMA);
}

// Where the token at a position lies.
fn place(slot: u32, position: u32) -> u32 {
  return slot * 2u * BLOCK + position % (2u * sequence.block_size);
}

fn write_row(at: u32, row: Row) {
  rows[2u * at] = vec4(row.token, row.position, row.slot, row.first);
  rows[2u * at + 1u] = vec4(row.end, row.condition, row.past_slot, row.past_end);
}

fn block_row(slot: u32, position: u32, condition: u32) -> Row {
  let size = sequence.block_size;
  let block = position / size;
  let oldest = block - min(block, sequence.window - 1u);
  let token = tokens[place(slot, position)];
  return Row(token, position, slot, oldest * size, (block + 1u) * size, condition, 0u, 0u);
}

fn copy_prompt_rows(segment: u32, lane: u32) {
  let lanes = burst[segment];
  let number = burst[segment + 1u];
  if (lane == 0u) {
    first_row = atomicAdd(&counts[0], number);
    sigma[2u * lanes] = 0.0;
  }
  workgroupBarrier();
  for (var i = lane; i < number; i += LANES) {
    let at = segment + 2u + 2u * lanes + i * ROW_WORDS;
    let row = Row(
      burst[at], burst[at + 1u], burst[at + 2u], burst[at + 3u], burst[at + 4u], 2u * lanes, 0u, 0u,
    );
    write_row(first_row + i, row);
  }
}

// Moves a sequence with a clean block on to the next block, or to its commit.
fn advance() {
  has_commit = 0u;
  if (sequence.masked == 0u) {
    sequence.commit_time = sequence.time;
    sequence.time = 1.0;
    if (SHIFTED == 1u) {
      sequence.phase = PHASE_COMMIT;
      return;
    }
    has_commit = 1u;
    sequence.start += sequence.block_size;
    sequence.masked = sequence.block_size;
    sequence.step = 0u;
    sequence.past_steps = 0u;
    sequence.nfe = 0u;
  }
  let seed = vec2(sequence.seed_low, sequence.seed_high);
  if (sequence.strategy == FIRST_HITTING) {
    // The next event: the largest of as many uniform times as there are masks.
    let u = uniform_at(seed, sequence.choice, STREAM_TIME, sequence.start, sequence.nfe);
    sequence.time *= pow(u, 1.0 / f32(sequence.masked));
  } else if (sequence.strategy != ANCESTRAL) {
    sequence.time = f32(sequence.masked) / f32(sequence.block_size);
  }
}

// The key by which a masked position falls: smallest first.
fn falling_key(position: u32, offset: u32) -> u32 {
  let seed = vec2(sequence.seed_low, sequence.seed_high);
  // `random` draws afresh in every pass.
  let draw = select(0u, sequence.nfe, sequence.strategy == RANDOM);
  let u = uniform_at(seed, sequence.choice, STREAM_ORDER, position, draw);
  switch sequence.strategy {
    case FIRST_HITTING: {
      return u32(u * 16777216.0);
    }
    case ANCESTRAL: {
      return min(u32(u * f32(sequence.steps)), sequence.steps - 1u);
    }
    case SEQUENTIAL: {
      return offset;
    }
    case RANDOM: {
      // The largest number first.
      return 16777215u - u32(u * 16777216.0);
    }
    default: {
      return 0u;
    }
  }
}

// Whether a masked position may fall in this pass.
fn may_fall(offset: u32, wanted: u32) -> bool {
  let key = order[offset];
  if (key == FALLEN) {
    return false;
  }
  if (sequence.strategy >= LOW_CONFIDENCE_STATIC) {
    return true;
  }
  var smaller = 0u;
  var equal = 0u;
  for (var other = 0u; other < sequence.block_size; other++) {
    smaller += select(0u, 1u, order[other] < key);
    equal += select(0u, 1u, order[other] == key && other < offset);
  }
  if (sequence.strategy == ANCESTRAL) {
    return smaller == 0u;
  }
  return smaller + equal < wanted;
}

// The share of the block that is masked at a step of the sub-block's grid.
fn ancestral_time(step: u32) -> f32 {
  let share = 1.0 - f32(step) / f32(sequence.steps);
  let later = sequence.masked - masked_in_sub_block(sequence);
  let size = f32(sequence.sub_block_size);
  return (share * size + f32(later)) / f32(sequence.block_size);
}

fn write_heads(slot: u32, lane: u32, denoise_row: u32) {
  let size = sequence.block_size;
  let wanted = quota(sequence);
  for (var j = lane; j < size; j += LANES) {
    falls[j] = select(0u, 1u, may_fall(j, wanted));
  }
  workgroupBarrier();
  if (lane == 0u) {
    var number = 0u;
    for (var j = 0u; j < size; j++) {
      number += falls[j];
      // From flags to ranks, one beyond, zero where nothing falls.
      falls[j] *= number;
      if (sequence.strategy == ANCESTRAL && falls[j] == 1u) {
        sequence.step = order[j];
        sequence.time = ancestral_time(order[j]);
      }
    }
    sequence.heads = number;
    first_head = atomicAdd(&counts[1], number);
    sequence.first_head = first_head;
  }
  workgroupBarrier();
  let seed = vec2(sequence.seed_low, sequence.seed_high);
  for (var j = lane; j < size; j += LANES) {
    if (falls[j] > 0u) {
      let position = sequence.start + j;
      heads[first_head + falls[j] - 1u] = Head(
        denoise_row + max(j, SHIFTED) - SHIFTED, j, sequence.temperature, sequence.top_p, sequence.top_k,
        uniform_at(seed, sequence.choice, STREAM_TOKEN, position, sequence.nfe),
      );
    }
  }
}

// The head of a commit, whose token is the next block's first.
fn write_seed_head(lane: u32, last_row: u32) {
  if (lane == 0u) {
    sequence.heads = 1u;
    sequence.first_head = atomicAdd(&counts[1], 1u);
    heads[sequence.first_head] = Head(last_row, 0u, 0.0, 1.0, 0u, 0.0);
  }
}

@compute @workgroup_size(LANES)
fn plan(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let segment = params.segment;
  let lanes = burst[segment];
  if (group.x == lanes) {
    copy_prompt_rows(segment, lane);
    return;
  }
  let slot = burst[segment + 2u + 2u * group.x];
  sequence = load_sequence(slot);
  if (sequence.phase != PHASE_IDLE) {
    advance();
    if (lane == 0u) {
      first_row = atomicAdd(&counts[0], sequence.block_size * (1u + has_commit));
    }
  }
  // All have read the sequence, and read `first_row` below.
  workgroupBarrier();
  let size = sequence.block_size;
  if (sequence.phase == PHASE_COMMIT) {
    for (var j = lane; j < size; j += LANES) {
      write_row(first_row + j, block_row(slot, sequence.start + j, 2u * group.x));
    }
    write_seed_head(lane, first_row + size - 1u);
  } else if (sequence.phase == PHASE_DENOISE) {
    plan_denoising(slot, lane, group.x);
  }
  if (lane == 0u && sequence.phase != PHASE_IDLE) {
    sigma[2u * group.x] = sigma_at(sequence.commit_time);
    sigma[2u * group.x + 1u] = sigma_at(sequence.time);
    store_standing(slot, sequence);
  }
}

fn plan_denoising(slot: u32, lane: u32, number: u32) {
  let size = sequence.block_size;
  if (has_commit == 1u) {
    for (var j = lane; j < size; j += LANES) {
      tokens[place(slot, sequence.start + j)] = MASK;
    }
  }
  // The rows below read the tokens written above.
  storageBarrier();
  workgroupBarrier();
  let denoise_row = first_row + has_commit * size;
  // Sub-blocks after this one are full of masks.
  let later = sequence.masked - masked_in_sub_block(sequence);
  for (var j = lane; j < size; j += LANES) {
    if (has_commit == 1u) {
      write_row(first_row + j, block_row(slot, sequence.start - size + j, 2u * number));
    }
    write_row(denoise_row + j, block_row(slot, sequence.start + j, 2u * number + 1u));
    let is_masked = tokens[place(slot, sequence.start + j)] == MASK && j < size - later;
    order[j] = select(FALLEN, falling_key(sequence.start + j, j), is_masked);
  }
  workgroupBarrier();
  write_heads(slot, lane, denoise_row);
}
