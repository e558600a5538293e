import { assertEquals } from "@std/assert";
import { FAST_DLLM_RULES } from "../support/decoding_rules.ts";
import { gpuTest } from "../support/gpu.ts";
import { DeviceSequences, type Entry, MASK, type PartialProposal } from "./device_sequences.ts";
import { PLAIN } from "./lockstep.ts";

const SIZES = { slots: 4, maxBlock: 16, window: 32 };
const IDLE = 0;
const FAILED = 2;
const COMMITTED = 3;

/** Plans a pass of slot 0 and ends it with `proposals`, the same for every block. */
async function pass(
  device: DeviceSequences,
  proposals: readonly PartialProposal[],
): Promise<Entry> {
  const { heads } = await device.plan([0]);
  const { entries } = await device.reveal(heads.map(({ offset }) => proposals[offset] ?? {}));
  return entries[0]!;
}

gpuTest(
  "plan() takes logits from the row before, and a first token from the commit",
  async (gpu) => {
    using device = new DeviceSequences(gpu, { ...SIZES, rules: FAST_DLLM_RULES });
    const strategy = { strategy: "low_confidence_static", steps: 1 } as const;
    // The prompt ends with a block: its commit gives the first token.
    device.open(0, {
      ...PLAIN,
      prompt: [1, 2, 3, 4],
      strategy,
      temperature: 0.5,
      topP: 0.5,
      topK: 3,
    });
    const commit = await device.plan([0]);
    assertEquals(commit.rows.map(({ token, position }) => [token, position]), [
      [1, 0],
      [2, 1],
      [3, 2],
      [4, 3],
    ]);
    assertEquals(commit.heads, [
      { row: 3, offset: 0, temperature: 0, topP: 1, topK: 0, uniform: 0 },
    ]);
    const { entries } = await device.reveal([{ token: 7, confidence: 0.25 }]);
    assertEquals(entries, [{
      ...{ status: 3, start: 4, step: 0, nfe: 0, masked: 3, isOver: false },
      tokens: [7, MASK, MASK, MASK],
      confidence: [0.25, 0, 0, 0],
    }]);
    const { rows, heads } = await device.plan([0]);
    assertEquals(rows.map(({ token }) => token), [7, MASK, MASK, MASK]);
    assertEquals(heads.map(({ row, offset }) => [row, offset]), [[0, 1], [1, 2], [2, 3]]);
  },
);

gpuTest("plan() gives the first position of an empty prompt its own row's logits", async (gpu) => {
  using device = new DeviceSequences(gpu, { ...SIZES, rules: FAST_DLLM_RULES });
  device.open(0, { ...PLAIN, strategy: { strategy: "low_confidence_static" } });
  const { heads } = await device.plan([0]);
  assertEquals(heads.map(({ row, offset }) => [row, offset]), [[0, 0], [0, 1], [1, 2], [2, 3]]);
});

gpuTest("reveal() with shifted logits stops once no mask stands before a stop", async (gpu) => {
  using device = new DeviceSequences(gpu, { ...SIZES, rules: FAST_DLLM_RULES });
  const strategy = { strategy: "low_confidence_static" } as const;
  const stopTokens = [9];
  device.open(0, { ...PLAIN, prompt: [9, 9], maxTokens: 6, blockSize: 8, strategy, stopTokens });
  const steps = [[5, { token: 9 }], [2, { token: 1 }], [4, { token: 1 }], [3, {
    token: 1,
  }]] as const;
  const seen: unknown[] = [];
  for (const [offset, { token }] of steps) {
    const { heads } = await device.plan([0]);
    const confident = (each: number) => each === offset ? 1 : 0.5;
    const { entries } = await device.reveal(
      heads.map((head) => ({ token, confidence: confident(head.offset) })),
    );
    seen.push([entries[0]!.tokens, entries[0]!.isOver]);
  }
  assertEquals(seen, [
    [[9, 9, MASK, MASK, MASK, 9, MASK, MASK], false],
    [[9, 9, 1, MASK, MASK, 9, MASK, MASK], false],
    [[9, 9, 1, MASK, 1, 9, MASK, MASK], false],
    [[9, 9, 1, 1, 1, 9, MASK, MASK], true],
  ]);
  assertEquals((await pass(device, [])).status, IDLE);
});

gpuTest(
  "reveal() with shifted logits ends with a first token that stops, or is the last",
  async (gpu) => {
    for (const [token, maxTokens] of [[9, 6], [1, 1]] as const) {
      using device = new DeviceSequences(gpu, { ...SIZES, rules: FAST_DLLM_RULES });
      device.open(0, { ...PLAIN, prompt: [5, 5, 5, 5], maxTokens, stopTokens: [9] });
      const { status, isOver, tokens } = await pass(device, [{ token }]);
      assertEquals({ status, isOver, tokens }, {
        status: COMMITTED,
        isOver: true,
        tokens: [token, MASK, MASK, MASK],
      });
      assertEquals((await pass(device, [])).status, IDLE);
    }
  },
);

gpuTest("reveal() fails a commit without finite numbers", async (gpu) => {
  using device = new DeviceSequences(gpu, { ...SIZES, rules: FAST_DLLM_RULES });
  device.open(0, { ...PLAIN, prompt: [5, 5, 5, 5] });
  assertEquals((await pass(device, [{ isFinite: false }])).status, FAILED);
  assertEquals((await pass(device, [])).status, IDLE);
});
