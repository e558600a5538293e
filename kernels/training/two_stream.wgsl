// Fragment: who attends to whom in the rows [x_t, x_0] of several sequences, and what the attention
// kernels of training have in common.
//
// Rows: LENGTH of the noisy half of every sequence, one sequence after the other, then, where there
// are two streams, their clean halves likewise. A noisy block sees itself and the clean blocks
// before it; a clean block sees the clean blocks up to itself. LENGTH is a multiple of 8.
// Source: Arriola et al. 2025, "Block Diffusion", suppl. B.6: M_BD or M_OBC or M_BC.

struct Params {
  sequences: u32,
  length: u32,
  block: u32,
  // 2, or 1 for x_t alone.
  streams: u32,
  // Rows that ask, from the first on: all, or the noisy halves.
  asking: u32,
}

override HEADS: u32;
// Octets of a head that count; beyond them its registers hold zeros.
override OCTETS: u32;
override SCALE: f32;
// A workgroup: neighbouring rows of one half of one sequence.
override LANES: u32;
// Rows that are visited at a time.
const CHUNK = 4u;

// q, k and v side by side; q and k rotated.
@group(0) @binding(0) var<storage, read> qkv: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> params: Params;

// Where the rows of a workgroup are: of which half, of which sequence, and the first one's
// position.
struct Place {
  is_noisy: bool,
  sequence: u32,
  position: u32,
}

fn place_of(row: u32) -> Place {
  let half = params.sequences * params.length;
  return Place(row < half, row % half / params.length, row % params.length);
}

// Rows of a sequence, from a multiple of CHUNK on.
struct Run {
  // Row of position 0.
  base: u32,
  first: u32,
  end: u32,
}

fn noisy_run(sequence: u32, first: u32, end: u32) -> Run {
  return Run(sequence * params.length, first / CHUNK * CHUNK, end);
}

fn clean_run(sequence: u32, first: u32, end: u32) -> Run {
  return Run((params.sequences + sequence) * params.length, first / CHUNK * CHUNK, end);
}

fn chunks_of(run: Run) -> u32 {
  return select(0u, (run.end - run.first + CHUNK - 1u) / CHUNK, run.end > run.first);
}

fn block_start(position: u32) -> u32 {
  return position / params.block * params.block;
}

// q, k or v (part 0, 1, 2) of a row: an octet of a head.
fn load_qkv(row: u32, part: u32, head: u32, octet: u32) -> Octet {
  if (octet >= OCTETS) {
    return Octet(vec4(0.0), vec4(0.0));
  }
  let at = ((row * 3u + part) * HEADS + head) * OCTETS * 2u + octet * 2u;
  return Octet(qkv[at], qkv[at + 1u]);
}

fn dot_octets(before: f32, a: Octet, b: Octet) -> f32 {
  return before + dot(a.low, b.low) + dot(a.high, b.high);
}

fn add_octet(sum: Octet, weight: f32, part: Octet) -> Octet {
  return Octet(fma(vec4(weight), part.low, sum.low), fma(vec4(weight), part.high, sum.high));
}
