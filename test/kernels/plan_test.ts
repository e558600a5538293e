import { assert, assertEquals } from "@std/assert";
import type { Row } from "../../kernels/mod.ts";
import { uniformAt } from "../../src/diffusion/random.ts";
import type { SequenceOptions } from "../../src/model/sequence_state.ts";
import { BD3LM_RULES, FAST_DLLM_RULES, SDAR_RULES } from "../support/decoding_rules.ts";
import { assertClose, gpuTest } from "../support/gpu.ts";
import { DeviceSequences, MASK } from "./device_sequences.ts";
import { ALL_STRATEGIES, Lockstep, PLAIN } from "./lockstep.ts";

const SIZES = { slots: 4, maxBlock: 16, window: 32 };

gpuTest("plan() opens the first block with what is left of the prompt", async (gpu) => {
  using device = new DeviceSequences(gpu, SIZES);
  device.open(2, { ...PLAIN, prompt: [11, 12, 13, 14, 15, 16], temperature: 0.5, topK: 9 });
  const { rows, heads, sigma } = await device.plan([2]);
  const shared = { slot: 2, first: 0, end: 8, condition: 1 };
  assertEquals(rows, [
    { ...shared, token: 15, position: 4 },
    { ...shared, token: 16, position: 5 },
    { ...shared, token: MASK, position: 6 },
    { ...shared, token: MASK, position: 7 },
  ]);
  const uniform = uniformAt(7, { choice: 0, stream: "token", position: 6, step: 0 });
  assertEquals(heads, [{ row: 2, offset: 2, temperature: 0.5, topP: 1, topK: 9, uniform }]);
  // Half of the block is masked: t = 1/2.
  assertClose([sigma[1]!], [Math.LN2]);
});

gpuTest("plan() commits a clean block beside the next one", async (gpu) => {
  using device = new DeviceSequences(gpu, SIZES);
  device.open(0, { ...PLAIN, prompt: [1, 2, 3], strategy: { strategy: "sequential", steps: 1 } });
  await device.plan([0]);
  await device.reveal([{ token: 4 }]);
  const { rows, heads, sigma } = await device.plan([0]);
  assertEquals(rows.map(({ token }) => token), [1, 2, 3, 4, MASK, MASK, MASK, MASK]);
  assertEquals(rows.map(({ position }) => position), [0, 1, 2, 3, 4, 5, 6, 7]);
  assertEquals(rows.map(({ end }) => end), [4, 4, 4, 4, 8, 8, 8, 8]);
  assertEquals(rows.map(({ condition }) => condition), [0, 0, 0, 0, 1, 1, 1, 1]);
  assertEquals(heads.map(({ row, offset }) => [row, offset]), [[4, 0], [5, 1], [6, 2], [7, 3]]);
  // The commit keeps the noise level of the block's last step, t = 1/4; all masks are t = 1.
  assertClose(sigma.subarray(0, 2), [-Math.log(0.75), -Math.log(1e-3)], { tolerance: 1e-6 });
});

gpuTest("plan() lets a block see its window and no more", async (gpu) => {
  using device = new DeviceSequences(gpu, { ...SIZES, window: 12 });
  device.open(0, { ...PLAIN, prompt: Array(21).fill(5) });
  device.open(1, { ...PLAIN, prompt: Array(5).fill(5) });
  device.open(2, { ...PLAIN, prompt: Array(30).fill(5), blockSize: 12 });
  const { rows } = await device.plan([0, 1, 2]);
  const ranges = [0, 1, 2].map((slot) =>
    new Set(rows.filter((row) => row.slot === slot).map(({ first, end }) => `${first} to ${end}`))
  );
  // Three blocks of 4, of which the last begins at 20; one block of 12.
  assertEquals(ranges, [new Set(["12 to 24"]), new Set(["0 to 8"]), new Set(["24 to 36"])]);
});

gpuTest("plan() gives no rows to sequences that are idle", async (gpu) => {
  using device = new DeviceSequences(gpu, SIZES);
  assertEquals((await device.plan([3])).rows, []);
  await device.reveal([]);
  device.open(1, { ...PLAIN, maxTokens: 1, blockSize: 1 });
  await device.plan([1]);
  await device.reveal([{ token: 8 }]);
  const { rows, heads } = await device.plan([3, 1]);
  assertEquals(rows, []);
  assertEquals(heads, []);
});

const PROMPT_ROWS: readonly Row[] = Array.from({ length: 70 }, (_, i) => ({
  token: 100 + i,
  position: 200 + i,
  slot: i % 2,
  first: 8 * i,
  end: 8 * i + 8,
  condition: 42,
}));

for (const lanes of [[], [2, 3]]) {
  gpuTest(`plan() copies prompt rows beside ${lanes.length} sequences`, async (gpu) => {
    using device = new DeviceSequences(gpu, SIZES);
    for (const slot of lanes) device.open(slot, PLAIN);
    for (const count of [1, 64, 70]) {
      const { rows, heads, sigma } = await device.plan(lanes, PROMPT_ROWS.slice(0, count));
      const prompts = rows.filter(({ slot }) => slot < 2);
      // They are clean: noise level 0, the last one.
      const condition = 2 * lanes.length;
      assertEquals(prompts, PROMPT_ROWS.slice(0, count).map((row) => ({ ...row, condition })));
      assertEquals(sigma[condition], 0);
      assertEquals(rows.length, count + 4 * lanes.length);
      assertEquals(heads.length, lanes.length);
      await device.reveal(heads.map(() => ({})));
    }
  });
}

gpuTest("plan() first-hitting falls in the order of the seed", async (gpu) => {
  using device = new DeviceSequences(gpu, SIZES);
  const options: SequenceOptions = { ...PLAIN, blockSize: 16, choice: 3, seed: 2 ** 40 + 5 };
  device.open(0, { ...options, strategy: { strategy: "first_hitting" } });
  const order = Array.from(
    { length: 16 },
    (_, position) => uniformAt(options.seed, { choice: 3, stream: "order", position, step: 0 }),
  );
  const fallen: number[] = [];
  for (let pass = 0; pass < 16; pass++) {
    const { heads } = await device.plan([0]);
    assertEquals(heads.length, 1);
    fallen.push(heads[0]!.offset);
    await device.reveal([{ token: 1 }]);
  }
  assertEquals(fallen, [...order.keys()].toSorted((a, b) => order[a]! - order[b]!));
});

gpuTest("plan() ancestral falls step by step, without empty steps", async (gpu) => {
  using device = new DeviceSequences(gpu, SIZES);
  const strategy = { strategy: "ancestral", steps: 16 } as const;
  device.open(0, { ...PLAIN, blockSize: 16, strategy });
  const groups = Array.from({ length: 16 }, (): number[] => []);
  for (let position = 0; position < 16; position++) {
    const u = uniformAt(7, { choice: 0, stream: "order", position, step: 0 });
    groups[Math.floor(u * 16)]!.push(position);
  }
  assert(groups.some(({ length }) => length === 0), "this seed skips a step");
  for (const [step, group] of groups.entries()) {
    if (group.length === 0) continue;
    const { heads, sigma } = await device.plan([0]);
    assertEquals(heads.map(({ offset }) => offset), group, `step ${step}`);
    const level = Math.min(-Math.log(step / 16), -Math.log(1e-3));
    assertClose([sigma[1]!], [level], {}, `step ${step}`);
    const { entries } = await device.reveal(group.map(() => ({ token: 1 })));
    assertEquals(entries[0]!.step, step + 1);
  }
});

gpuTest("plan() sequential takes the quota from the left", async (gpu) => {
  using device = new DeviceSequences(gpu, SIZES);
  const prompt = [1, 2];
  const strategy = { strategy: "sequential", steps: 4 } as const;
  device.open(0, { ...PLAIN, prompt, blockSize: 16, maxTokens: 14, strategy });
  const taken: number[][] = [];
  for (let pass = 0; pass < 4; pass++) {
    const { heads } = await device.plan([0]);
    taken.push(heads.map(({ offset }) => offset));
    await device.reveal(heads.map(() => ({ token: 1 })));
  }
  // 14 masks in 4 steps.
  assertEquals(taken, [[2, 3, 4, 5], [6, 7, 8, 9], [10, 11, 12], [13, 14, 15]]);
});

// Blocks below, at and above the 64 lanes; two passes, and one after a clean block.
for (const blockSize of [1, 4, 16, 64, 256, 1024]) {
  gpuTest(`plan() agrees with the definition for blocks of ${blockSize}`, async (gpu) => {
    const slots = ALL_STRATEGIES.length;
    const window = 3 * blockSize;
    const maxBlock = 1024;
    using device = new DeviceSequences(gpu, { slots, maxBlock, window });
    const lockstep = new Lockstep(device, window);
    ALL_STRATEGIES.forEach((strategy, slot) => {
      const prompt = Array.from({ length: slot * 41 }, (_, i) => i % 60);
      lockstep.open(slot, { ...PLAIN, prompt, blockSize, maxTokens: 4096, strategy, seed: slot });
    });
    for (let pass = 0; pass < 4; pass++) {
      // Four slots at a time: the rows of all would not fit.
      for (const lanes of [[3, 0, 2], [1, 4, 5, 11], [6, 9, 7, 8, 10]]) await lockstep.pass(lanes);
    }
  });
}

/** Options by slot: every strategy in sub-blocks, with prompts of all kinds. */
function subBlocked(blockSize: number): SequenceOptions[] {
  return ALL_STRATEGIES.map((strategy, slot) => ({
    ...PLAIN,
    strategy,
    prompt: Array.from(
      { length: [0, 1, blockSize, blockSize + 3, 2 * blockSize][slot % 5]! },
      () => 59,
    ),
    blockSize,
    subBlockSize: [1, 2, 4, 8, 16].filter((size) => blockSize % size === 0).at(slot % 3 - 3)!,
    maxTokens: 4 * blockSize,
    seed: slot,
  }));
}

for (const [name, rules] of Object.entries({ BD3LM_RULES, SDAR_RULES, FAST_DLLM_RULES })) {
  gpuTest(`plan() agrees with the definition in sub-blocks by ${name}`, async (gpu) => {
    const slots = ALL_STRATEGIES.length;
    using device = new DeviceSequences(gpu, { ...SIZES, slots, window: 64, rules });
    const lockstep = new Lockstep(device, 64, rules);
    subBlocked(16).forEach((each, slot) => lockstep.open(slot, each));
    for (let pass = 0; pass < 12; pass++) await lockstep.pass([...Array(slots).keys()]);
  });
}

gpuTest("plan() runs heads for the leftmost sub-block with masks alone", async (gpu) => {
  using device = new DeviceSequences(gpu, SIZES);
  const strategy = { strategy: "low_confidence_static", steps: 1 } as const;
  device.open(0, { ...PLAIN, prompt: [1, 2, 3], blockSize: 16, subBlockSize: 4, strategy });
  const offsets: number[][] = [];
  for (let pass = 0; pass < 4; pass++) {
    const { heads, rows } = await device.plan([0]);
    assertEquals(rows.length, 16);
    offsets.push(heads.map(({ offset }) => offset));
    await device.reveal(heads.map(() => ({ token: 1 })));
  }
  assertEquals(offsets, [[3], [4, 5, 6, 7], [8, 9, 10, 11], [12, 13, 14, 15]]);
});

gpuTest("plan() takes the quota from the schedule, by the step", async (gpu) => {
  using device = new DeviceSequences(gpu, { ...SIZES, rules: SDAR_RULES });
  const strategy = { strategy: "sequential", steps: 3 } as const;
  // One mask where the schedule says two, then a block of 2, 1, 1.
  device.open(0, { ...PLAIN, prompt: [1, 2, 3], strategy });
  const counts: number[] = [];
  for (let pass = 0; pass < 4; pass++) {
    const { heads } = await device.plan([0]);
    counts.push(heads.length);
    await device.reveal(heads.map(() => ({ token: 1 })));
  }
  assertEquals(counts, [1, 2, 1, 1]);
});

gpuTest("plan() draws the order of random afresh in every step", async (gpu) => {
  using device = new DeviceSequences(gpu, SIZES);
  const options: SequenceOptions = { ...PLAIN, blockSize: 16, choice: 2, seed: 11 };
  device.open(0, { ...options, strategy: { strategy: "random" } });
  let masked = [...Array(16).keys()];
  for (let step = 0; step < 16; step++) {
    const numbers = masked.map((position) =>
      uniformAt(11, { choice: 2, stream: "order", position, step })
    );
    const largest = masked[numbers.indexOf(Math.max(...numbers))]!;
    const { heads } = await device.plan([0]);
    assertEquals(heads.map(({ offset }) => offset), [largest], `step ${step}`);
    masked = masked.filter((each) => each !== largest);
    await device.reveal([{ token: 1 }]);
  }
});
