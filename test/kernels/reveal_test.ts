import { assert, assertEquals } from "@std/assert";
import type { SequenceOptions } from "../../src/model/sequence_state.ts";
import { BD3LM_RULES, FAST_DLLM_RULES, SDAR_RULES } from "../support/decoding_rules.ts";
import { gpuTest } from "../support/gpu.ts";
import { DeviceSequences, type Entry, MASK, type PartialProposal } from "./device_sequences.ts";
import { ALL_STRATEGIES, Lockstep, PLAIN, runToEnd } from "./lockstep.ts";

const SIZES = { slots: 4, maxBlock: 16, window: 32 };
const IDLE = 0;
const DENOISED = 1;
const FAILED = 2;

/** Plans a pass of slot 0 and ends it with `proposals`, the same for every block. */
async function pass(
  device: DeviceSequences,
  proposals: readonly PartialProposal[],
): Promise<Entry> {
  const { heads } = await device.plan([0]);
  const { entries } = await device.reveal(heads.map(({ offset }) => proposals[offset] ?? {}));
  return entries[0]!;
}

/** The block after one pass in which four masks are proposed tokens 1 to 4. */
async function revealOnce(
  device: DeviceSequences,
  strategy: SequenceOptions["strategy"],
  scores: { confidence?: readonly number[]; entropy?: readonly number[] },
): Promise<readonly number[]> {
  device.open(0, { ...PLAIN, strategy });
  const proposals = [1, 2, 3, 4].map((token, i) => ({
    token,
    confidence: scores.confidence?.[i] ?? 1,
    entropy: scores.entropy?.[i] ?? 0,
  }));
  return (await pass(device, proposals)).tokens;
}

gpuTest(
  "reveal() low_confidence_static takes the most confident, leftmost first",
  async (gpu) => {
    using device = new DeviceSequences(gpu, SIZES);
    const strategy = { strategy: "low_confidence_static", steps: 2 } as const;
    const take = (...confidence: number[]) => revealOnce(device, strategy, { confidence });
    assertEquals(await take(0.25, 0.5, 0.125, 0.75), [MASK, 2, MASK, 4]);
    assertEquals(await take(0.5, 0.25, 0.5, 0.5), [1, MASK, 3, MASK]);
    assertEquals(await take(0.5, 0.5, 0.5, 0.5), [1, 2, MASK, MASK]);
  },
);

gpuTest(
  "reveal() low_confidence_dynamic takes all above the threshold, or the quota",
  async (gpu) => {
    using device = new DeviceSequences(gpu, SIZES);
    const strategy = { strategy: "low_confidence_dynamic", steps: 4, threshold: 0.75 } as const;
    const take = (...confidence: number[]) => revealOnce(device, strategy, { confidence });
    assertEquals(await take(0.875, 0.25, 1, 0.8125), [1, MASK, 3, 4]);
    // The threshold itself does not exceed it.
    assertEquals(await take(0.75, 0.875, 0.75, 0.5), [MASK, 2, MASK, MASK]);
    assertEquals(await take(0.25, 0.5, 0.75, 0.75), [MASK, MASK, 3, MASK]);
  },
);

gpuTest(
  "reveal() entropy_bounded takes the certain while the bound allows",
  async (gpu) => {
    using device = new DeviceSequences(gpu, SIZES);
    const strategy = { strategy: "entropy_bounded", steps: 4, entropy_bound: 0.5 } as const;
    const take = (...entropy: number[]) => revealOnce(device, strategy, { entropy });
    assertEquals(await take(0.25, 2, 0.125, 0), [1, MASK, 3, 4]);
    // 1/4 and 1/4 reach the bound, which is not below it.
    assertEquals(await take(0.25, 0.25, 1, 1), [1, MASK, MASK, MASK]);
    assertEquals(await take(3, 2, 2, 4), [MASK, 2, MASK, MASK]);
  },
);

gpuTest("reveal() ends at the length, once the block is clean", async (gpu) => {
  using device = new DeviceSequences(gpu, SIZES);
  const strategy = { strategy: "sequential", steps: 2 } as const;
  device.open(0, { ...PLAIN, prompt: [50, 51], maxTokens: 4, strategy });
  const seen: unknown[] = [];
  for (let i = 0; i < 5; i++) {
    const { status, start, step, nfe, masked } = await pass(device, []);
    seen.push(status === IDLE ? IDLE : { status, start, step, nfe, masked });
  }
  // Two masks in the first block, then four: the end, position 6, lies within the second.
  assertEquals(seen, [
    { status: DENOISED, start: 0, step: 1, nfe: 1, masked: 1 },
    { status: DENOISED, start: 0, step: 2, nfe: 2, masked: 0 },
    { status: DENOISED, start: 4, step: 1, nfe: 1, masked: 2 },
    { status: DENOISED, start: 4, step: 2, nfe: 2, masked: 0 },
    IDLE,
  ]);
  assertEquals(await device.field(0, "phase"), 0);
});

gpuTest("reveal() ends a clean block with the stop token among what was generated", async (gpu) => {
  using device = new DeviceSequences(gpu, SIZES);
  const strategy = { strategy: "sequential", steps: 2 } as const;
  const stop = 9;
  // In the tail of the prompt the stop token stops nothing.
  device.open(0, { ...PLAIN, prompt: [stop, stop], maxTokens: 99, strategy, stopTokens: [stop] });
  const first = [await pass(device, []), await pass(device, [])];
  assertEquals(first.map(({ tokens }) => tokens), [[9, 9, 0, MASK], [9, 9, 0, 0]]);
  // It waits for the rest of its block.
  const stopping = [{ token: stop }, { token: 1 }, { token: 2 }, { token: 3 }];
  const second = [await pass(device, stopping), await pass(device, stopping)];
  assertEquals(second.map(({ tokens }) => tokens), [[9, 1, MASK, MASK], [9, 1, 2, 3]]);
  assertEquals((await pass(device, [])).status, IDLE);
});

gpuTest("reveal() stops at a stop token with the lowest id", async (gpu) => {
  using device = new DeviceSequences(gpu, SIZES);
  const strategy = { strategy: "sequential", steps: 1 } as const;
  device.open(0, { ...PLAIN, maxTokens: 99, strategy, stopTokens: [0] });
  await pass(device, [{ token: 1 }, { token: 0 }, { token: 1 }, { token: 1 }]);
  assertEquals((await pass(device, [])).status, IDLE);
});

for (
  const strategy of [{ strategy: "first_hitting" }, { strategy: "low_confidence_static" }] as const
) {
  gpuTest(`reveal() fails a ${strategy.strategy} sequence without finite numbers`, async (gpu) => {
    using device = new DeviceSequences(gpu, SIZES);
    const options = { ...PLAIN, strategy };
    device.open(0, options);
    device.open(1, options);
    const { heads, rows } = await device.plan([1, 0]);
    const isFirst = heads.map(({ row }) => rows[row]!.slot === 0);
    const failing = isFirst.lastIndexOf(true);
    const { entries } = await device.reveal(
      heads.map((_, head) => ({ token: 3, confidence: 0.5, isFinite: head !== failing })),
    );
    assertEquals(entries.map(({ status }) => status), [DENOISED, FAILED]);
    // The other goes on.
    const next = await device.plan([1, 0]);
    assertEquals(new Set(next.rows.map(({ slot }) => slot)), new Set([1]));
    const after = await device.reveal(next.heads.map(() => ({ token: 3 })));
    assertEquals(after.entries.map(({ status }) => status), [DENOISED, IDLE]);
  });
}

gpuTest("reveal() clears the counts of a pass without sequences", async (gpu) => {
  using device = new DeviceSequences(gpu, SIZES);
  const row = { token: 1, position: 0, slot: 0, first: 0, end: 4, condition: 0 };
  assertEquals((await device.plan([], [row, row])).rows.length, 2);
  assertEquals((await device.reveal([])).counts, [0, 0]);
});

for (const blockSize of [1, 4, 16]) {
  gpuTest(`reveal() moves blocks of ${blockSize} to their end by every strategy`, async (gpu) => {
    const slots = ALL_STRATEGIES.length;
    const window = 2 * blockSize;
    using device = new DeviceSequences(gpu, { slots, maxBlock: 16, window });
    const options = ALL_STRATEGIES.map((strategy, slot): SequenceOptions => ({
      prompt: Array(3 * slot).fill(59),
      maxTokens: 3 * blockSize + 1,
      blockSize,
      strategy,
      temperature: 0.7,
      topP: 0.9,
      topK: slot,
      seed: 2 ** 33 + slot,
      choice: slot,
      stopTokens: [],
    }));
    const passes = await runToEnd(new Lockstep(device, window), options);
    // One token a pass at the slowest, four blocks or five.
    assert(passes >= 4 * blockSize && passes <= 5 * blockSize, `${passes} passes`);
  });
}

gpuTest("reveal() keeps sequences of many kinds apart in one pass", async (gpu) => {
  const window = 512;
  const slots = 8;
  using device = new DeviceSequences(gpu, { slots, maxBlock: 256, window });
  const lockstep = new Lockstep(device, window);
  const open = (slot: number, number: number) =>
    lockstep.open(slot, {
      ...PLAIN,
      blockSize: [16, 4, 1, 256, 8, 64, 2, 128][slot]!,
      strategy: { strategy: "entropy_bounded", steps: 4, entropy_bound: 0.25 + number },
      prompt: Array(13 * number + slot).fill(58),
      maxTokens: 20,
      seed: number,
      // One token in sixty ends them early.
      stopTokens: number % 2 === 0 ? [30] : [],
    });
  for (let slot = 0; slot < slots; slot++) open(slot, slot);
  // Slots that are free are taken again, by a sequence with another prompt and seed.
  for (let number = slots; number < 24; number++) {
    while (lockstep.live.length === slots) {
      await lockstep.pass([5, 0, 3, 1, 7, 2, 6, 4]);
    }
    const free = [...Array(slots).keys()].find((slot) => !lockstep.live.includes(slot))!;
    open(free, number);
  }
  // Sequences may sit passes out, and come in any order.
  for (let i = 0; lockstep.live.length > 0; i++) {
    const { live } = lockstep;
    await lockstep.pass(i % 3 === 2 ? live.slice(0, 1) : live.toReversed());
  }
});

gpuTest("reveal() chooses among 1,024 masks with ties", async (gpu) => {
  const window = 2048;
  using device = new DeviceSequences(gpu, { slots: 3, maxBlock: 1024, window });
  const lockstep = new Lockstep(device, window);
  const strategies = [
    { strategy: "low_confidence_static", steps: 3 },
    { strategy: "low_confidence_dynamic", steps: 2, threshold: 0.875 },
    { strategy: "entropy_bounded", steps: 3, entropy_bound: 9 },
  ] as const;
  strategies.forEach((strategy, slot) =>
    lockstep.open(slot, { ...PLAIN, strategy, blockSize: 1024, maxTokens: 2048, stopTokens: [60] })
  );
  for (let i = 0; i < 4; i++) await lockstep.pass([0, 1, 2]);
});

for (const [name, rules] of Object.entries({ BD3LM_RULES, SDAR_RULES, FAST_DLLM_RULES })) {
  for (const [blockSize, subBlockSize] of [[1, 1], [4, 4], [8, 4], [16, 2], [16, 16]] as const) {
    const sizes = `blocks of ${blockSize} in ${subBlockSize}s`;
    gpuTest(`reveal() moves ${sizes} to their end by ${name}`, async (gpu) => {
      const slots = ALL_STRATEGIES.length;
      const window = 8 * blockSize;
      using device = new DeviceSequences(gpu, { slots, maxBlock: 16, window, rules });
      const options = ALL_STRATEGIES.map((strategy, slot): SequenceOptions => ({
        ...PLAIN,
        prompt: Array(slot % 3 === 0 ? blockSize * (slot % 2) : 3 * slot).fill(59),
        maxTokens: 3 * blockSize + slot % 4 + 1,
        blockSize,
        subBlockSize,
        strategy,
        seed: 2 ** 33 + slot,
        choice: slot,
        // Some end them early, some are in the prompt.
        stopTokens: [[], [59, 58], [0, 7, 30, 11]][slot % 3]!,
      }));
      await runToEnd(new Lockstep(device, window, rules), options);
    });
  }
}

gpuTest("reveal() ends at any of four stop tokens", async (gpu) => {
  const stopTokens = [9, 0, 17, 998];
  for (const stop of [...stopTokens, 10]) {
    using device = new DeviceSequences(gpu, SIZES);
    const strategy = { strategy: "sequential", steps: 1 } as const;
    device.open(0, { ...PLAIN, maxTokens: 99, strategy, stopTokens });
    const tokens = [{ token: 1 }, { token: stop }, { token: 1 }, { token: 1 }];
    assertEquals((await pass(device, tokens)).isOver, stop !== 10, `${stop}`);
  }
});
