import { assertEquals, assertThrows } from "@std/assert";
import { Block } from "../../src/diffusion/block.ts";

const MASK = 9;

Deno.test("Block.masked() lists the masked positions from the left", () => {
  assertEquals(new Block([], MASK).masked(), []);
  assertEquals(new Block([MASK], MASK).masked(), [0]);
  assertEquals(new Block([3, 4], MASK).masked(), []);
  assertEquals(new Block([MASK, 0, 5, MASK], MASK).masked(), [0, 3]);
});

Deno.test("Block.reveal() fills what it is told and leaves the rest, and itself, alone", () => {
  const block = new Block([MASK, 1, MASK, MASK], MASK);
  assertEquals(block.reveal([3, 0], [5, 6, 7, 8]).tokens, [5, 1, MASK, 8]);
  assertEquals(block.reveal([], [5, 6, 7, 8]).tokens, [MASK, 1, MASK, MASK]);
  assertEquals(block.tokens, [MASK, 1, MASK, MASK]);
});

Deno.test("Block.reveal() throws for a position that is known, or beyond the block", () => {
  const block = new Block([1, MASK], MASK);
  assertThrows(
    () => block.reveal([1, 0], [5, 6]),
    RangeError,
    "Cannot reveal position 0: it holds 1, expected a mask",
  );
  assertThrows(() => block.reveal([2], [5, 6, 7]), RangeError, "position 2");
});
