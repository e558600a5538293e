import { assertEquals } from "@std/assert";
import { headParts } from "../../src/model/head_parts.ts";

Deno.test("headParts() gives heads whose logits fit in 64 MiB, each once", () => {
  // 2^24 floats are 256 rows of 65,536, and 333 of 50,272, which 50,258 is padded to.
  assertEquals(headParts(600, { vocabSize: 65_536 }), [
    { skip: 0, rows: 256 },
    { skip: 256, rows: 256 },
    { skip: 512, rows: 88 },
  ]);
  assertEquals(headParts(333, { vocabSize: 50_258 }), [{ skip: 0, rows: 333 }]);
  assertEquals(headParts(0, { vocabSize: 50_258 }), []);
  // One row at least.
  assertEquals(headParts(2, { vocabSize: 2 ** 25 }), [
    { skip: 0, rows: 1 },
    { skip: 1, rows: 1 },
  ]);
});
