// Fragment: the sums of TILES tiles of columns with TILE_ROWS rows each, 32 in all at most. What finishes
// a row is there once and taken in turn: written out for all of them it would take longer to compile
// than all the rest. Four sums are picked out of all, and one of the four. With picks.wgsl.

// How far the first sums of two tiles lie apart; and of all. Places beyond them, which are written below
// for the tallest tiles, wrap round and are not picked.
const TILE_SUMS = max(TILE_ROWS, 4u);
const SUMS = TILES * TILE_SUMS;
const_assert SUMS <= 32u;

var<private> sums: array<vec4<f32>, SUMS>;

struct FourSums {
  a: vec4<f32>,
  b: vec4<f32>,
  c: vec4<f32>,
  d: vec4<f32>,
}

// From sums[first] on, a multiple of 4 that is the same for all lanes.
fn four_sums(first: u32) -> FourSums {
  let i = first / 4u;
  return FourSums(
    pick_of_8(
      i,
      sums[0u % SUMS],
      sums[4u % SUMS],
      sums[8u % SUMS],
      sums[12u % SUMS],
      sums[16u % SUMS],
      sums[20u % SUMS],
      sums[24u % SUMS],
      sums[28u % SUMS],
    ),
    pick_of_8(
      i,
      sums[1u % SUMS],
      sums[5u % SUMS],
      sums[9u % SUMS],
      sums[13u % SUMS],
      sums[17u % SUMS],
      sums[21u % SUMS],
      sums[25u % SUMS],
      sums[29u % SUMS],
    ),
    pick_of_8(
      i,
      sums[2u % SUMS],
      sums[6u % SUMS],
      sums[10u % SUMS],
      sums[14u % SUMS],
      sums[18u % SUMS],
      sums[22u % SUMS],
      sums[26u % SUMS],
      sums[30u % SUMS],
    ),
    pick_of_8(
      i,
      sums[3u % SUMS],
      sums[7u % SUMS],
      sums[11u % SUMS],
      sums[15u % SUMS],
      sums[19u % SUMS],
      sums[23u % SUMS],
      sums[27u % SUMS],
      sums[31u % SUMS],
    ),
  );
}

fn sum_of(four: FourSums, i: u32) -> vec4<f32> {
  return pick_of_4(i, four.a, four.b, four.c, four.d);
}
