// Fragment: the rows of a pass. A row is one token of one sequence.
struct Row {
  // Token id at this row; the mask while it is not known.
  token: u32,
  // Absolute position in the sequence, for rotary angles and for the cache.
  position: u32,
  // Slot of the sequence: its page table.
  slot: u32,
  // The row sees the keys at positions first … end - 1 of its own sequence.
  first: u32,
  end: u32,
  // Row of the modulation vectors (noise level) that applies.
  condition: u32,
}
