// Fragment: which row of the modulation holds for a row of the pass, in both halves. Kernels give
// `params` the fields length, sequences and is_shared.

fn condition_of(row: u32) -> u32 {
  // Without time conditioning a single row serves all.
  return select(row / params.length % params.sequences, 0u, params.is_shared == 1u);
}
