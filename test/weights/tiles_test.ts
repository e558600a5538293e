import { assertEquals } from "@std/assert";
import { packScales, packTiles, type TileOrder } from "../../src/weights/tiles.ts";

// [tile][vector] and then by rows, or by lanes: [j][lane] for row 4 lane + j.
const PLACES = {
  rows: (row: number) => row % 32,
  lanes: (row: number) => row % 4 * 8 + Math.floor(row % 32 / 4),
};

for (const [order, placeOf] of Object.entries(PLACES)) {
  Deno.test(`packTiles() puts vectors of rows where kernels read them by ${order}`, () => {
    // Three vectors a row, two tiles; every word says where it comes from.
    const words = Uint32Array.from({ length: 64 * 12 }, (_, i) => i);
    const layout = { rowBytes: 48, order: order as TileOrder }; // The keys above.
    const packed = packTiles(new Uint8Array(words.buffer), layout);
    for (let row = 0; row < 64; row++) {
      for (let vector = 0; vector < 3; vector++) {
        const at = ((Math.floor(row / 32) * 3 + vector) * 32 + placeOf(row)) * 4;
        const from = row * 12 + vector * 4;
        assertEquals([...packed.subarray(at, at + 4)], [from, from + 1, from + 2, from + 3]);
      }
    }
  });
}

Deno.test("packScales() gives a lane the words of its 4 rows as a vector", () => {
  const scales = Uint32Array.from({ length: 64 * 3 }, (_, i) => i);
  const packed = packScales(scales, 3);
  for (let row = 0; row < 64; row++) {
    for (let group = 0; group < 3; group++) {
      // [tile][group][lane][j].
      const at = (Math.floor(row / 32) * 3 + group) * 32 + row % 32;
      assertEquals(packed[at], row * 3 + group);
    }
  }
});
