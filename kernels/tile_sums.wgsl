// Fragment: the sums of a tile of up to 32 rows. What finishes a row is there once and taken in turn:
// written out for all of them it would take longer to compile than all the rest. An array that a loop
// indexes would be looked up lane by lane, so four rows are picked out of all, and one of the four. With
// picks.wgsl, and a kernel or fragment with TILE_ROWS.
var<private> sums: array<vec4<f32>, TILE_ROWS>;

struct FourSums {
  a: vec4<f32>,
  b: vec4<f32>,
  c: vec4<f32>,
  d: vec4<f32>,
}

// Those of the rows 4 · four … 4 · four + 3.
fn four_sums(four: u32) -> FourSums {
  return FourSums(
    pick_of_8(
      four,
      sums[0],
      sums[4u % TILE_ROWS],
      sums[8u % TILE_ROWS],
      sums[12u % TILE_ROWS],
      sums[16u % TILE_ROWS],
      sums[20u % TILE_ROWS],
      sums[24u % TILE_ROWS],
      sums[28u % TILE_ROWS],
    ),
    pick_of_8(
      four,
      sums[1u % TILE_ROWS],
      sums[5u % TILE_ROWS],
      sums[9u % TILE_ROWS],
      sums[13u % TILE_ROWS],
      sums[17u % TILE_ROWS],
      sums[21u % TILE_ROWS],
      sums[25u % TILE_ROWS],
      sums[29u % TILE_ROWS],
    ),
    pick_of_8(
      four,
      sums[2u % TILE_ROWS],
      sums[6u % TILE_ROWS],
      sums[10u % TILE_ROWS],
      sums[14u % TILE_ROWS],
      sums[18u % TILE_ROWS],
      sums[22u % TILE_ROWS],
      sums[26u % TILE_ROWS],
      sums[30u % TILE_ROWS],
    ),
    pick_of_8(
      four,
      sums[3u % TILE_ROWS],
      sums[7u % TILE_ROWS],
      sums[11u % TILE_ROWS],
      sums[15u % TILE_ROWS],
      sums[19u % TILE_ROWS],
      sums[23u % TILE_ROWS],
      sums[27u % TILE_ROWS],
      sums[31u % TILE_ROWS],
    ),
  );
}

fn sum_of(four: FourSums, i: u32) -> vec4<f32> {
  return pick_of_4(i, four.a, four.b, four.c, four.d);
}
