import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type Batch,
  batchesOf,
  type BlockRows,
  blocksOf,
  type NoisyText,
  rowsOf,
  tasksOf,
} from "../../src/evaluation/scoring_plan.ts";

const MASK = 9;
const PLAIN = { timeConditioning: false };

/** A text of `length` tokens whose copies mask all that is scored, each with a level of its own. */
function textOf(
  length: number,
  { given = 1, blockSize = 4, copies = 1 } = {},
): NoisyText {
  const x0 = Array.from({ length }, (_, i) => i % 8);
  const xt = x0.map((token, i) => i < given ? token : MASK);
  const weights = new Float64Array(length);
  const all = Array.from({ length: copies }, (_, copy) => ({ xt, weights, sigma: copy % 2 }));
  return { x0, given, blockSize, copies: all };
}

function blocks(batch: Batch, texts: readonly NoisyText[]): BlockRows[] {
  return [...blocksOf(batch, texts, { maskToken: MASK })];
}

Deno.test("tasksOf() splits copies by their noise level where the network is told it", () => {
  const texts = [textOf(9, { copies: 3 }), textOf(5)];
  assertEquals(tasksOf(texts, PLAIN), [
    { text: 0, copies: [0, 1, 2], sigma: 0 },
    { text: 1, copies: [0], sigma: 0 },
  ]);
  assertEquals(tasksOf(texts, { timeConditioning: true }), [
    { text: 0, copies: [0, 2], sigma: 0 },
    { text: 0, copies: [1], sigma: 1 },
    { text: 1, copies: [0], sigma: 0 },
  ]);
});

Deno.test("blocksOf() gives every block after the clean ones that it sees", () => {
  const texts = [textOf(10, { given: 5, copies: 2 })];
  const [batch] = batchesOf(tasksOf(texts, PLAIN), texts, { slots: 9, pages: 9, rows: 99 });
  const summary = blocks(batch!, texts).map((
    { tokens, position, slot, pastSlot, copy, targets },
  ) => ({ tokens, position, slot, pastSlot, copy, targets }));
  const none = [null, null, null, null];
  assertEquals(summary, [
    { tokens: [0, 1, 2, 3], position: 0, slot: 0, pastSlot: null, copy: null, targets: none },
    ...[0, 1].map((copy) => ({
      ...{ tokens: [4, MASK, MASK, MASK], position: 4, slot: 1 + copy, pastSlot: 0, copy },
      targets: [null, 5, 6, 7],
    })),
    { tokens: [4, 5, 6, 7], position: 4, slot: 0, pastSlot: null, copy: null, targets: none },
    // Masks fill the last block, and nobody asks what is behind them.
    ...[0, 1].map((copy) => ({
      ...{ tokens: [MASK, MASK, MASK, MASK], position: 8, slot: 1 + copy, pastSlot: 0, copy },
      targets: [0, 1, null, null],
    })),
  ]);
  assertEquals(rowsOf(batch!, texts), 6 * 4);
});

Deno.test("blocksOf() asks for the masked tokens alone", () => {
  const [text] = [textOf(4, { given: 0 })];
  const xt = [0, MASK, 2, MASK];
  const texts = [{ ...text!, copies: [{ ...text!.copies[0]!, xt }] }];
  const [batch] = batchesOf(tasksOf(texts, PLAIN), texts, { slots: 2, pages: 2, rows: 8 });
  const [only, ...others] = blocks(batch!, texts);
  assertEquals([only!.targets, others], [[null, 1, null, 3], []]);
});

Deno.test("batchesOf() fills the cache and goes on with what is left", () => {
  // 40 and 8 tokens in blocks of 4: 2 pages of 32 clean, 2 noisy; 1 and 1.
  const texts = [textOf(40, { copies: 3 }), textOf(8, { copies: 2 }), textOf(8)];
  const tasks = tasksOf(texts, PLAIN);
  const batches = [...batchesOf(tasks, texts, { slots: 4, pages: 7, rows: 64 })];
  assertEquals(batches.map(({ pages }) => pages), [[2, 2, 2], [2, 2, 1, 1], [1, 1, 1, 1]]);
  const summary = batches.map(({ tasks }) => tasks.map(({ text, copies }) => [text, copies]));
  assertEquals(summary, [
    [[0, [0, 1]]],
    [[0, [2]], [1, [0]]],
    [[1, [1]], [2, [0]]],
  ]);
  // Every slot has one use, and what is said of it holds.
  for (const batch of batches) {
    for (const { slot, position, tokens } of blocks(batch, texts)) {
      assert(position + tokens.length <= 32 * batch.pages[slot]!, `slot ${slot} at ${position}`);
    }
  }
});

Deno.test("batchesOf() gives copies no more pages than a pass has rows of them", () => {
  const texts = [textOf(400, { copies: 2 })];
  const limits = { slots: 9, pages: 40, rows: 48 };
  const [batch] = batchesOf(tasksOf(texts, PLAIN), texts, limits);
  // 48 rows may lie in 3 pages of 32; the clean text ends at 396.
  assertEquals(batch!.pages, [13, 3, 3]);
  const large = [textOf(400, { blockSize: 200 })];
  const [other] = batchesOf(tasksOf(large, PLAIN), large, limits);
  // A block of 200 in 8.
  assertEquals(other!.pages, [7, 8]);
});

Deno.test("batchesOf() throws where a text does not fit at all", () => {
  const texts = [textOf(400)];
  const limits = { slots: 9, pages: 14, rows: 999 };
  assertThrows(() => [...batchesOf(tasksOf(texts, PLAIN), texts, limits)], RangeError, "text 0");
});
