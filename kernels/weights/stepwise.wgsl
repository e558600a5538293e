// Fragment: 4 steps in turn for formats whose vectors hold one or two of them, which are loaded when
// it is their turn.

var<private> next_tile: u32;
var<private> next_steps: u32;
var<private> next_step: u32;
var<private> next_lane: u32;

// Says that 4 steps follow, from `step` on, a multiple of 4; open_next opens one after the other.
fn open_block(tile: u32, steps: u32, step: u32, lane: u32) {
  next_tile = tile;
  next_steps = steps;
  next_step = step;
  next_lane = lane;
}

fn open_next() {
  open_weights(next_tile, next_steps, next_step, next_lane);
  next_step++;
}
