// For every lane i: first[i] = i of the first lane of its subgroup, sum[i] = Σ j over the lanes j of
// its subgroup, size[i] = number of those lanes.
//
// One workgroup of 64 lanes. Without `enable subgroups`, which Deno's compiler does not know.

@group(0) @binding(0) var<storage, read_write> first: array<u32, 64>;
@group(0) @binding(1) var<storage, read_write> sum: array<u32, 64>;
@group(0) @binding(2) var<storage, read_write> size: array<u32, 64>;

@compute @workgroup_size(64)
fn subgroups(@builtin(local_invocation_index) lane: u32) {
  first[lane] = subgroupBroadcastFirst(lane);
  sum[lane] = subgroupAdd(lane);
  size[lane] = subgroupAdd(1u);
}
