import { assertEquals, assertNotEquals, assertRejects, assertThrows } from "@std/assert";
import { uniformAt } from "../../src/diffusion/random.ts";
import type { PassPlan } from "../../src/model/denoiser.ts";
import type { SequenceOptions } from "../../src/model/sequence_state.ts";
import { GpuError } from "../../src/gpu/errors.ts";
import { copyRequest, tokensFrom } from "./copy_request.ts";
import { ScriptedDenoiser } from "./scripted_denoiser.ts";

const LANE: PassPlan = { lanes: [0], prompts: [] };

/** Positions in the order in which a block after an empty prompt is filled. */
async function fillOrder(options: Partial<SequenceOptions>): Promise<number[]> {
  using denoiser = new ScriptedDenoiser();
  denoiser.open(0, copyRequest([], { maxTokens: 32, blockSize: 32, ...options }));
  const burst = denoiser.record(Array(32).fill(LANE));
  burst.submit();
  const blocks = (await burst.read()).map(([result]) => result!.tokens);
  return blocks.map((block, i) =>
    block.findIndex((token, j) => token !== null && (blocks[i - 1]?.[j] ?? null) === null)
  );
}

Deno.test("ScriptedDenoiser fills by first_hitting in the order drawn from seed and choice", async () => {
  const drawn = tokensFrom(0, 32).toSorted((a, b) => {
    const at = { choice: 3, stream: "order", step: 0 } as const;
    return uniformAt(9, { ...at, position: a }) - uniformAt(9, { ...at, position: b });
  });
  assertEquals(await fillOrder({ seed: 9, choice: 3 }), drawn);
  assertNotEquals(await fillOrder({ seed: 8, choice: 3 }), drawn);
  assertNotEquals(await fillOrder({ seed: 9, choice: 2 }), drawn);
});

Deno.test("ScriptedDenoiser fills by the other strategies from the left", async () => {
  const strategy = { strategy: "low_confidence_static" } as const;
  assertEquals(await fillOrder({ strategy }), tokensFrom(0, 32));
});

function opened(prompt: readonly number[] = []): ScriptedDenoiser {
  const limits = { slots: 2, pages: 4, rows: 16, passes: 2, promptRows: 12 };
  const denoiser = new ScriptedDenoiser({ limits });
  denoiser.open(0, copyRequest(prompt));
  return denoiser;
}

const chunk = { slot: 0, position: 0, tokens: tokensFrom(0, 4), blockSize: 4 };

for (
  const [rule, passes] of [
    ["slot is free", [{ lanes: [1], prompts: [] }]],
    ["named twice", [{ lanes: [0, 0], prompts: [] }]],
    ["3 passes", [LANE, LANE, LANE]],
    ["0 passes", []],
    ["0 rows", [{ lanes: [], prompts: [] }]],
    ["20 rows", [{ lanes: [0], prompts: [{ ...chunk, tokens: tokensFrom(0, 12) }] }]],
    [
      "16 prompt rows",
      [8, 8].map((count) => ({
        lanes: [],
        prompts: [{ ...chunk, tokens: tokensFrom(0, count) }],
      })),
    ],
  ] as const
) {
  Deno.test(`ScriptedDenoiser refuses passes against the rules: ${rule}`, () => {
    assertThrows(() => opened(tokensFrom(0, 20)).record(passes), RangeError, rule);
  });
}

Deno.test("ScriptedDenoiser refuses a third burst while two are unread", async () => {
  const denoiser = opened();
  const bursts = [denoiser.record([LANE]), denoiser.record([LANE])];
  assertThrows(() => denoiser.record([LANE]), RangeError, "2 bursts are unread");
  assertThrows(() => bursts[1]!.submit(), RangeError, "order is wrong");
  bursts[0]!.submit();
  await bursts[0]!.read();
  denoiser.record([LANE]);
});

Deno.test("ScriptedDenoiser refuses denoising before the prompt, and prompts out of order", () => {
  const submit = (pass: PassPlan) => () => opened(tokensFrom(0, 8)).record([pass]).submit();
  assertThrows(submit(LANE), RangeError, "0 prompt tokens of 8");
  const late = { ...chunk, position: 4, tokens: tokensFrom(4, 4) };
  assertThrows(submit({ lanes: [], prompts: [late] }), RangeError, "rows start at 4, not 0");
});

Deno.test("ScriptedDenoiser refuses slots that are taken, and pages that are", () => {
  const denoiser = opened();
  assertThrows(() => denoiser.open(0, copyRequest([])), RangeError, "slot 0 is taken");
  const large = copyRequest(tokensFrom(0, 120));
  assertThrows(() => denoiser.open(1, large), RangeError, "5 pages are asked for, 3 free");
  denoiser.close(0, null);
  assertThrows(() => denoiser.close(0, null), RangeError, "slot 0 is free");
});

Deno.test("ScriptedDenoiser gives nothing back after the loss of its device", async () => {
  const denoiser = opened();
  const burst = denoiser.record([LANE]);
  burst.submit();
  const reading = burst.read();
  denoiser.loseDevice();
  await assertRejects(() => reading, GpuError);
  await assertRejects(() => denoiser.lost, GpuError);
});
