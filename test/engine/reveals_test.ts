import { assertEquals } from "@std/assert";
import type { SequenceRequest } from "../../src/engine/request.ts";
import { Sequence } from "../../src/engine/sequence.ts";
import type { LaneResult, TokenDetails } from "../../src/model/denoiser.ts";
import { copyRequest, tokensFrom } from "../support/copy_request.ts";
import { scriptedDetails } from "../support/scripted_details.ts";

/** A sequence whose first block is at 4, with the last two of its six prompt tokens. */
function sequenceOf(request: Partial<SequenceRequest>): Sequence {
  const full = copyRequest(tokensFrom(10, 6), request);
  const place = { slot: 2, start: 4, capacity: 4096 };
  return new Sequence(7, full, { ...place, now: 100, queueMs: 30 });
}

/** What a pass did: the block's tokens, `null` where masked, and which of them it revealed. */
interface Given {
  readonly tokens: LaneResult["tokens"];
  readonly fresh: readonly number[];
  readonly start: number;
  readonly step: number;
  readonly status?: "denoised" | "committed";
}

/** Plans a pass and applies what it gave; the confidence of a token is a hundredth of its id. */
function pass(sequence: Sequence, { tokens, fresh, ...at }: Given) {
  sequence.planPass({ withPrompt: false });
  const masked = tokens.filter((token) => token === null).length;
  const of = <T>(value: (token: number, i: number) => T, none: T) =>
    tokens.map((token, i) => token !== null && fresh.includes(i) ? value(token, i) : none);
  return sequence.apply({
    ...{ slot: 2, status: "denoised", nfe: at.step, masked, isOver: false, ...at, tokens },
    confidence: of((token) => token / 100, 0),
    ...(sequence.request.isDetailed && { details: of<TokenDetails | null>(scriptedDetails, null) }),
  }, 100);
}

Deno.test("Sequence tells how tokens fell, without the prompt's and what is cut off", () => {
  const sequence = sequenceOf({ maxTokens: 5, isDetailed: true, tellsReveals: true });
  pass(sequence, { tokens: [14, 15, null, 31], fresh: [3], start: 4, step: 1 });
  const [first] = pass(sequence, { tokens: [14, 15, 22, 31], fresh: [2], start: 4, step: 3 });
  assertEquals(first?.type === "block" && [first.tokens, first.reveals], [[22, 31], [
    { step: 3, confidence: 0.22, details: scriptedDetails(22, 2) },
    { step: 1, confidence: 0.31, details: scriptedDetails(31, 3) },
  ]]);
  const all = { tokens: [3, 4, 5, 6], fresh: [0, 1, 2, 3], start: 8, step: 1 };
  const [second] = pass(sequence, all);
  assertEquals(
    second?.type === "block" && second.reveals,
    [3, 4, 5].map((token, i) => ({
      step: 1,
      confidence: token / 100,
      details: scriptedDetails(token, i),
    })),
  );
});

Deno.test("Sequence tells how tokens fell without details, or nothing, where that was asked", () => {
  for (const [asked, expected] of [[{ tellsReveals: true }, true], [{}, false]] as const) {
    const sequence = sequenceOf({ maxTokens: 8, ...asked });
    pass(sequence, { tokens: [14, 15, null, 1], fresh: [3], start: 4, step: 1 });
    const [block] = pass(sequence, { tokens: [14, 15, 2, 1], fresh: [2], start: 4, step: 2 });
    assertEquals(
      block?.type === "block" && block.reveals,
      expected ? [{ step: 2, confidence: 0.02 }, { step: 1, confidence: 0.01 }] : undefined,
    );
    assertEquals(block !== undefined && "reveals" in block, expected);
  }
});

Deno.test("Sequence tells that the first token of a block came with the commit", () => {
  const sequence = sequenceOf({ prompt: tokensFrom(0, 8), maxTokens: 4, tellsReveals: true });
  const opened = { tokens: [41, null, null, null], fresh: [0], start: 8, step: 0 };
  pass(sequence, { ...opened, status: "committed" });
  const rest = { tokens: [41, 1, 2, 3], fresh: [1, 2, 3], start: 8, step: 1 };
  const [block] = pass(sequence, rest);
  assertEquals(
    block?.type === "block" && block.reveals?.map(({ step, confidence }) => [step, confidence]),
    [[0, 0.41], [1, 0.01], [1, 0.02], [1, 0.03]],
  );
});

Deno.test("Sequence has details in the steps of a trace, of what a step revealed", () => {
  const sequence = sequenceOf({ maxTokens: 8, trace: true, isDetailed: true });
  const [step] = pass(sequence, { tokens: [14, 15, null, 31], fresh: [3], start: 4, step: 1 });
  assertEquals(step?.type === "step" && step.details, [scriptedDetails(31, 3)]);
  const rest = { tokens: [14, 15, 22, 31], fresh: [2], start: 4, step: 2 };
  const [next, block] = pass(sequence, rest);
  assertEquals(next?.type === "step" && next.details, [scriptedDetails(22, 2)]);
  assertEquals(block !== undefined && "reveals" in block, false);
});
