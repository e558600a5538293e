import { assertEquals } from "@std/assert";
import type { SequenceRequest } from "../../src/engine/request.ts";
import { Sequence } from "../../src/engine/sequence.ts";
import type { LaneResult } from "../../src/model/denoiser.ts";
import { copyRequest, tokensFrom } from "../support/copy_request.ts";

const PROMPT = tokensFrom(10, 6);
const CAPACITY = 4096;

function sequenceOf(
  request: Partial<SequenceRequest>,
  { start = 4, capacity = CAPACITY } = {},
): Sequence {
  const full = copyRequest(request.prompt ?? PROMPT, request);
  return new Sequence(7, full, { slot: 2, start, now: 100, queueMs: 30, capacity });
}

/** Plans a pass and applies what it gave: the block's tokens, `null` where masked. */
function pass(
  sequence: Sequence,
  tokens: readonly (number | null)[],
  at: { start?: number; step?: number; nfe?: number; now?: number; isOver?: boolean } = {},
) {
  const { start = 4, step = 1, nfe = step, now = 100, isOver = false } = at;
  sequence.planPass({ withPrompt: false });
  const masked = tokens.filter((token) => token === null).length;
  const counts = { start, step, nfe, masked, isOver };
  return sequence.apply({ slot: 2, status: "denoised", ...counts, ...certain(tokens) }, now);
}

/** Tokens, each as if it were revealed with a confidence of its own. */
function certain(tokens: LaneResult["tokens"]): Pick<LaneResult, "tokens" | "confidence"> {
  return { tokens, confidence: tokens.map((token) => token === null ? 0 : token / 100) };
}

Deno.test("Sequence hands out the prompt in whole blocks, as many as fit", () => {
  const sequence = sequenceOf({ prompt: tokensFrom(0, 14) }, { start: 12 });
  assertEquals(sequence.takePrompt(3), null);
  assertEquals(sequence.isPrefilled, false);
  const first = { slot: 2, position: 0, tokens: tokensFrom(0, 8), blockSize: 4 };
  assertEquals(sequence.takePrompt(11), first);
  assertEquals(sequence.isPrefilled, false);
  const rest = { slot: 2, position: 8, tokens: tokensFrom(8, 4), blockSize: 4 };
  assertEquals(sequence.takePrompt(100), rest);
  assertEquals(sequence.isPrefilled, true);
  assertEquals(sequence.takePrompt(100), null);
});

Deno.test("Sequence hands out a last part of a block where blocks start at the prompt's end", () => {
  const sequence = sequenceOf({}, { start: 6 });
  assertEquals(sequence.takePrompt(4)?.tokens, tokensFrom(10, 4));
  assertEquals(sequence.takePrompt(4)?.tokens, tokensFrom(14, 2));
  assertEquals(sequence.isPrefilled, true);
});

Deno.test("Sequence goes block by block where the prompt is longer than the cache", () => {
  const sequence = sequenceOf({ prompt: tokensFrom(0, 24) }, { start: 24, capacity: 16 });
  // Beside the rows of a pass one more block fits, as long as nothing is overwritten.
  const counts = Array.from({ length: 5 }, () => sequence.takePrompt(100)?.tokens.length);
  assertEquals(counts, [12, 4, 4, 4, undefined]);
});

Deno.test("Sequence without a whole block of prompt is prefilled from the start", () => {
  assertEquals(sequenceOf({ prompt: [] }, { start: 0 }).isPrefilled, true);
  assertEquals(sequenceOf({ prompt: [1, 2, 3] }, { start: 0 }).isPrefilled, true);
});

Deno.test("Sequence has a pass left for every masked position of all its blocks", () => {
  // Positions 6 and 7, then 8 to 11, then 12 to 15 of which 14 and 15 are beyond the length.
  const sequence = sequenceOf({ maxTokens: 8 });
  assertEquals(sequence.passesLeft, 10);
  sequence.planPass({ withPrompt: false });
  assertEquals(sequence.passesLeft, 9);
  // The pass that was planned reveals both: one pass fewer is of use.
  const result = { slot: 2, status: "denoised", start: 4, step: 1, nfe: 1, masked: 0 } as const;
  sequence.apply({ ...result, isOver: false, ...certain([14, 15, 1, 2]) }, 0);
  assertEquals(sequence.passesLeft, 8);
  pass(sequence, [null, 1, 2, 3], { start: 8 });
  assertEquals(sequence.passesLeft, 5);
});

Deno.test("Sequence counts passes alike where blocks start at the prompt's end", () => {
  assertEquals(sequenceOf({ maxTokens: 8 }, { start: 6 }).passesLeft, 8);
  assertEquals(sequenceOf({ maxTokens: 9 }, { start: 6 }).passesLeft, 12);
  assertEquals(sequenceOf({ maxTokens: 1, blockSize: 1 }, { start: 6 }).passesLeft, 1);
});

Deno.test("Sequence never has fewer than no passes left", () => {
  const sequence = sequenceOf({ maxTokens: 2 });
  sequence.planPass({ withPrompt: false });
  sequence.planPass({ withPrompt: false });
  sequence.planPass({ withPrompt: false });
  assertEquals(sequence.passesLeft, 0);
});

Deno.test("Sequence tells of its blocks without the prompt, and of the end", () => {
  const sequence = sequenceOf({ maxTokens: 5 });
  assertEquals(pass(sequence, [14, 15, null, 1]), []);
  assertEquals(pass(sequence, [14, 15, 2, 1], { step: 2, now: 130 }), [
    { type: "block", index: 0, position: 6, tokens: [2, 1], steps: 2, nfe: 2, ms: 30, last: false },
  ]);
  assertEquals(pass(sequence, [3, 4, 5, 6], { start: 8, step: 3, nfe: 1, now: 135 }), [
    {
      type: "block",
      index: 1,
      position: 8,
      tokens: [3, 4, 5],
      steps: 3,
      nfe: 1,
      ms: 5,
      last: true,
    },
    { type: "end", reason: "length", passes: 3, queueMs: 30 },
  ]);
  assertEquals([sequence.hasEnded, sequence.passesLeft], [true, 0]);
});

Deno.test("Sequence ignores a stop token in the prompt and ends at a generated one", () => {
  const sequence = sequenceOf({ prompt: [1, 2, 3, 4, 9, 9], stopTokens: [9] });
  assertEquals(pass(sequence, [9, 9, 1, 2]).map(({ type }) => type), ["block"]);
  const events = pass(sequence, [3, 9, 4, 9], { start: 8 });
  assertEquals(events.map((event) => event.type === "block" && event.tokens), [[3, 9], false]);
  assertEquals(events[1], { type: "end", reason: "eos", passes: 2, queueMs: 30 });
});

Deno.test("Sequence remembers the last 256 tokens for their entropy", () => {
  const sequence = sequenceOf({ blockSize: 32, maxTokens: 1000, minEntropy: 0.5 }, { start: 0 });
  const same = Array<number>(32).fill(5);
  // 26 generated tokens, then 7 blocks of 32: 250. The next block fills the window.
  const types = Array.from(
    { length: 9 },
    (_, i) =>
      pass(sequence, same, { start: 32 * i }).map((event) =>
        event.type === "end" ? event.reason : event.type
      ).join(),
  );
  assertEquals(types, [...Array(8).fill("block"), "block,entropy"]);
});

Deno.test("Sequence tells of every step when asked to", () => {
  const sequence = sequenceOf({ maxTokens: 6, trace: true });
  const step = { type: "step", block: 0, step: 1, nfe: 1 };
  assertEquals<unknown[]>(pass(sequence, [14, 15, null, 1]), [
    { ...step, tokens: [null, 1], revealed: [1], confidence: [0.01] },
  ]);
  const [second, block] = pass(sequence, [14, 15, 2, 1], { step: 5, nfe: 2 });
  assertEquals<unknown>(second, {
    ...step,
    step: 5,
    nfe: 2,
    tokens: [2, 1],
    revealed: [0],
    confidence: [0.02],
  });
  assertEquals(block?.type, "block");
  // The block after it begins with masks again.
  assertEquals<unknown[]>(pass(sequence, [7, null, 8, null], { start: 8 }), [
    { ...step, block: 1, tokens: [7, null, 8, null], revealed: [0, 2], confidence: [0.07, 0.08] },
  ]);
});

Deno.test("Sequence counts a pass that it had rows in once, whatever rows they were", () => {
  const sequence = sequenceOf({ prompt: tokensFrom(0, 8), maxTokens: 4 }, { start: 8 });
  sequence.takePrompt(4);
  sequence.takePrompt(4);
  sequence.planPass({ withPrompt: true });
  sequence.planPass({ withPrompt: false });
  const result = { slot: 2, status: "denoised", start: 8, step: 1, nfe: 1, isOver: false } as const;
  sequence.apply({ ...result, masked: 1, ...certain([1, 2, 3, null]) }, 0);
  const [, end] = sequence.apply({ ...result, masked: 0, ...certain([1, 2, 3, 4]) }, 0);
  // Prompt, prompt with the first step, second step.
  assertEquals<unknown>(end, { type: "end", reason: "length", passes: 3, queueMs: 30 });
});

Deno.test("Sequence.cancel() ends it once, and what is read later changes nothing", () => {
  const sequence = sequenceOf({ maxTokens: 8 });
  pass(sequence, [14, 15, null, 1]);
  sequence.planPass({ withPrompt: false });
  assertEquals(sequence.cancel(), [
    { type: "end", reason: "cancelled", passes: 1, queueMs: 30 },
  ]);
  assertEquals(sequence.cancel(), []);
  assertEquals([sequence.hasEnded, sequence.passesLeft], [true, 0]);
  const tokens = [14, 15, 2, 1];
  const late = { slot: 2, status: "denoised", start: 4, step: 2, nfe: 2, masked: 0 } as const;
  assertEquals(sequence.apply({ ...late, isOver: true, ...certain(tokens) }, 0), []);
});

Deno.test("Sequence.cancel() counts the pass that prompt and first step would have shared", () => {
  const sequence = sequenceOf({ maxTokens: 8 });
  sequence.takePrompt(4);
  sequence.planPass({ withPrompt: true });
  assertEquals(sequence.cancel(), [
    { type: "end", reason: "cancelled", passes: 1, queueMs: 30 },
  ]);
});

Deno.test("Sequence takes no notice of a pass in which it was over", () => {
  const sequence = sequenceOf({ maxTokens: 8 });
  sequence.planPass({ withPrompt: false });
  const idle = { slot: 2, status: "idle", start: 0, step: 0, nfe: 0, masked: 0 } as const;
  assertEquals(sequence.apply({ ...idle, isOver: true, ...certain([]) }, 0), []);
  assertEquals(sequence.passesLeft, 10);
});

Deno.test("Sequence skips prompt tokens that are stored, and tells at once where all are", () => {
  const sequence = sequenceOf({ prompt: tokensFrom(0, 14) }, { start: 12 });
  sequence.skipPrompt(8);
  assertEquals(sequence.admitted(), [{ type: "admitted", queueMs: 30 }]);
  assertEquals(sequence.planned, 8);
  assertEquals(sequence.takePrompt(100)?.tokens, tokensFrom(8, 4));
  assertEquals(sequence.prefill(4, 120), [{ type: "prefilled", ms: 20, cachedTokens: 8 }]);
  const stored = sequenceOf({});
  stored.skipPrompt(4);
  assertEquals(stored.isPrefilled, true);
  assertEquals(stored.admitted().slice(1), [{ type: "prefilled", ms: 0, cachedTokens: 4 }]);
});

Deno.test("Sequence tells of a prompt whose rest was stored meanwhile before its first step", () => {
  const sequence = sequenceOf({ prompt: tokensFrom(0, 8), trace: true }, { start: 8 });
  sequence.takePrompt(4);
  assertEquals(sequence.prefill(4, 110), []);
  sequence.skipPrompt(4);
  const events = pass(sequence, [null, 1, 2, 3], { start: 8, now: 150 });
  assertEquals(events[0], { type: "prefilled", ms: 50, cachedTokens: 4 });
  assertEquals(events.map(({ type }) => type), ["prefilled", "step"]);
  assertEquals(pass(sequence, [null, 1, 2, 3], { start: 8 }).map(({ type }) => type), ["step"]);
});

Deno.test("Sequence leaves behind what it knows to be stored: prompt, then all blocks but the last", () => {
  const sequence = sequenceOf({ maxTokens: 100 });
  sequence.takePrompt(100);
  assertEquals(sequence.remains.tokens, []);
  sequence.prefill(4, 100);
  assertEquals(sequence.remains, { tokens: tokensFrom(10, 4), reach: 8 });
  pass(sequence, [14, 15, 1, 2]);
  assertEquals(sequence.remains, { tokens: tokensFrom(10, 4), reach: 8 });
  pass(sequence, [3, 4, 5, null], { start: 8 });
  assertEquals(sequence.remains, { tokens: [...tokensFrom(10, 6), 1, 2], reach: 12 });
  pass(sequence, [3, 4, 5, 6], { start: 8 });
  // Each pass under way may go a block further.
  sequence.planPass({ withPrompt: false });
  sequence.planPass({ withPrompt: false });
  sequence.cancel();
  assertEquals(sequence.remains, { tokens: [...tokensFrom(10, 6), 1, 2], reach: 20 });
});

Deno.test("Sequence reaches no further than its last block where the device has ended it", () => {
  for (const [isOver, reach] of [[true, 12], [false, 20]] as const) {
    const sequence = sequenceOf({ maxTokens: 6 });
    sequence.takePrompt(100);
    sequence.prefill(4, 100);
    for (let i = 0; i < 2; i++) sequence.planPass({ withPrompt: false });
    pass(sequence, [14, 15, 1, 2]);
    pass(sequence, [3, 4, 5, 6], { start: 8, isOver });
    assertEquals(sequence.remains, { tokens: [...tokensFrom(10, 6), 1, 2], reach });
  }
});

Deno.test("Sequence leaves behind the prompt's last block where it has committed that itself", () => {
  const sequence = sequenceOf({ prompt: tokensFrom(0, 8), maxTokens: 8 });
  sequence.takePrompt(100);
  sequence.prefill(4, 100);
  commit(sequence, [41, null, null, null], 8);
  assertEquals(sequence.remains, { tokens: tokensFrom(0, 8), reach: 12 });
  pass(sequence, [41, 1, 2, 3], { start: 8 });
  commit(sequence, [42, null, null, null], 12);
  assertEquals(sequence.remains, { tokens: [...tokensFrom(0, 8), 41, 1, 2, 3], reach: 16 });
});

/** Applies what a commit gave: the block that follows, with its first token. */
function commit(sequence: Sequence, tokens: readonly (number | null)[], start: number) {
  sequence.planPass({ withPrompt: false });
  const masked = tokens.filter((token) => token === null).length;
  const counts = { start, step: 0, nfe: 0, masked, isOver: false };
  return sequence.apply({ slot: 2, status: "committed", ...counts, ...certain(tokens) }, 100);
}

Deno.test("Sequence counts a commit among its passes, and its token to the block it opens", () => {
  // The prompt's last block is the sequence's own; positions 8 to 15 are generated.
  const sequence = sequenceOf({ prompt: tokensFrom(0, 8), maxTokens: 8 });
  assertEquals(sequence.passesLeft, 8);
  assertEquals(commit(sequence, [41, null, null, null], 8), []);
  assertEquals(sequence.passesLeft, 7);
  const [block] = pass(sequence, [41, 1, 2, 3], { start: 8 });
  assertEquals(block?.type === "block" && [block.index, block.position, block.tokens], [
    ...[0, 8],
    [41, 1, 2, 3],
  ]);
  assertEquals(sequence.passesLeft, 4);
  commit(sequence, [42, null, null, null], 12);
  assertEquals(sequence.passesLeft, 3);
  const [, end] = pass(sequence, [42, 1, 2, 3], { start: 12 });
  assertEquals<unknown>(end, { type: "end", reason: "length", passes: 4, queueMs: 30 });
});

Deno.test("Sequence tells of a commit's token as a step before the first", () => {
  const sequence = sequenceOf({ prompt: tokensFrom(0, 8), maxTokens: 8, trace: true });
  const step = { type: "step", block: 0 };
  assertEquals<unknown[]>(commit(sequence, [41, null, null, null], 8), [
    {
      ...{ ...step, step: 0, nfe: 0, tokens: [41, null, null, null] },
      revealed: [0],
      confidence: [0.41],
    },
  ]);
  assertEquals<unknown[]>(pass(sequence, [41, null, 5, null], { start: 8 }), [
    {
      ...{ ...step, step: 1, nfe: 1, tokens: [41, null, 5, null] },
      revealed: [2],
      confidence: [0.05],
    },
  ]);
});

Deno.test("Sequence ends where the device does, with masks after its stop token", () => {
  const sequence = sequenceOf({ maxTokens: 20, stopTokens: [8, 9] });
  sequence.planPass({ withPrompt: false });
  const tokens = [14, 15, 9, null];
  const counts = { start: 4, step: 3, nfe: 3, masked: 1, isOver: true };
  const events = sequence.apply({ slot: 2, status: "denoised", ...counts, ...certain(tokens) }, 0);
  assertEquals(events.map((event) => event.type === "block" ? event.tokens : event), [
    [9],
    { type: "end", reason: "eos", passes: 1, queueMs: 30 },
  ]);
  assertEquals([sequence.hasEnded, sequence.passesLeft], [true, 0]);
});
