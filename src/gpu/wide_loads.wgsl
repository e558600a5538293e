// words = the input, whose 32-byte vectors of 64-bit integers are taken apart: the lower half of each
// comes first. stored = the same, put together again. One workgroup of 8 lanes.

@group(0) @binding(0) var<storage, read_write> words: array<vec4<u32>, 16>;
@group(0) @binding(1) var<storage, read_write> stored: array<vec4<u64>, 8>;
@group(0) @binding(2) var<storage, read> input: array<vec4<u64>, 8>;

@compute @workgroup_size(8)
fn wide_loads(@builtin(local_invocation_index) lane: u32) {
  let loaded = input[lane];
  let low = vec4<u32>(loaded);
  let high = vec4<u32>(loaded >> vec4(32u));
  words[2u * lane] = vec4(low.x, high.x, low.y, high.y);
  words[2u * lane + 1u] = vec4(low.z, high.z, low.w, high.w);
  stored[lane] = vec4<u64>(low) | (vec4<u64>(high) << vec4(32u));
}
