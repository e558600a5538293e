import { assertEquals } from "@std/assert";
import { packScales, packTiles } from "../../src/weights/tiles.ts";

Deno.test("packTiles() puts vector v of row r where lane r / 4 of its tile reads it", () => {
  // Three vectors a row, two tiles; every word says where it comes from.
  const words = Uint32Array.from({ length: 64 * 12 }, (_, i) => i);
  const packed = packTiles(new Uint8Array(words.buffer), 48);
  for (let row = 0; row < 64; row++) {
    for (let vector = 0; vector < 3; vector++) {
      const [tile, lane, j] = [Math.floor(row / 32), Math.floor(row % 32 / 4), row % 4];
      // [tile][vector][j][lane], 4 words each.
      const at = (((tile * 3 + vector) * 4 + j) * 8 + lane) * 4;
      const from = row * 12 + vector * 4;
      assertEquals([...packed.subarray(at, at + 4)], [from, from + 1, from + 2, from + 3]);
    }
  }
});

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
