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
  // It also sees positions 0 … past_end - 1 of another slot: the clean text before a noisy copy of its
  // continuation. past_end is at most `first`, and one for all of a slot's rows is past_slot.
  past_slot: u32,
  past_end: u32,
}
