// Fragment: 4 steps for formats whose vectors hold one or two of them, which are loaded when they are
// asked for.
struct Block {
  tile: u32,
  steps: u32,
  step: u32,
  lane: u32,
}

fn open_block(tile: u32, steps: u32, step: u32, lane: u32) -> Block {
  return Block(tile, steps, step, lane);
}

fn weights_of(block: Block, i: u32) -> Weights {
  return open_weights(block.tile, block.steps, block.step + i, block.lane);
}
