// Things that the kernels take for granted. One workgroup; words: [4 LANES] u32.

const LANES = 64u;

@group(0) @binding(0) var<storage, read> halves: array<u32>;
@group(0) @binding(1) var<storage, read_write> words: array<u32>;

var<workgroup> hits: atomic<u32>;
var<workgroup> sums: array<u32, LANES>;

@compute @workgroup_size(LANES)
fn runtime(@builtin(local_invocation_index) lane: u32) {
  // Workgroup memory is zero before the first write.
  words[lane] = sums[lane] + atomicLoad(&hits);
  workgroupBarrier();
  atomicAdd(&hits, 1u);
  sums[lane] = lane;
  // A storage write of one lane is seen by the others after both barriers.
  words[LANES + lane] = lane;
  storageBarrier();
  workgroupBarrier();
  words[2u * LANES + lane] = words[LANES + (lane + 1u) % LANES] + atomicLoad(&hits);
  // Loops of many iterations run to their end.
  var steps = 0u;
  for (var i = 0u; i < 60000u; i++) {
    steps += halves[i % 4u] & 1u;
  }
  words[3u * LANES + lane] = steps;
}
