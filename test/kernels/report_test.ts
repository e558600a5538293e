import { assertEquals } from "@std/assert";
import type { TokenDetails } from "../../kernels/mod.ts";
import { FAST_DLLM_RULES } from "../support/decoding_rules.ts";
import { gpuTest } from "../support/gpu.ts";
import { DeviceSequences, MASK } from "./device_sequences.ts";
import { PLAIN } from "./lockstep.ts";

const SIZES = { slots: 4, maxBlock: 16, window: 32 };

/** Details that tell one head from another, in numbers that f32 holds exactly. */
function detailsOf(number: number): TokenDetails {
  const top = Array.from({ length: 5 }, (_, rank) => ({
    token: 100 * number + rank,
    logprob: -number - rank / 8,
  }));
  return { entropy: number + 0.25, logprob: -number - 0.5, top };
}

gpuTest("report() gives the details of a sequence's own heads, by their places", async (gpu) => {
  using device = new DeviceSequences(gpu, SIZES);
  const strategy = { strategy: "low_confidence_static" } as const;
  const options = { ...PLAIN, strategy, blockSize: 8 };
  device.open(0, { ...options, isDetailed: true });
  device.open(1, options);
  device.open(2, { ...options, prompt: [1, 2, 3], blockSize: 4, isDetailed: true });
  const lanes = [2, 1, 0];
  const { heads, rows } = await device.plan(lanes);
  const proposed = heads.map(({ offset }, head) => ({
    token: offset,
    confidence: (offset + 1) / 16,
    details: detailsOf(head + 1),
  }));
  const { entries } = await device.reveal(proposed);
  for (const [lane, slot] of lanes.entries()) {
    const expected = Array<TokenDetails | null>(slot === 2 ? 4 : 8).fill(null);
    heads.forEach(({ row, offset }, head) => {
      if (rows[row]!.slot === slot) expected[offset] = detailsOf(head + 1);
    });
    assertEquals(entries[lane]!.details, slot === 1 ? undefined : expected);
  }
  // All masks have heads, one of them falls; those of the prompt have none.
  assertEquals(entries[0]!.tokens, [1, 2, 3, 3]);
  assertEquals(entries[0]!.details!.map((each) => each !== null), [false, false, false, true]);
  assertEquals(entries[2]!.tokens, [...Array(7).fill(MASK), 7]);
  assertEquals(entries[2]!.details!.map((each) => each !== null), Array(8).fill(true));
});

gpuTest(
  "report() gives the details of a commit's token at the place that it opens",
  async (gpu) => {
    using device = new DeviceSequences(gpu, { ...SIZES, rules: FAST_DLLM_RULES });
    device.open(0, { ...PLAIN, prompt: [5, 5, 5, 5], isDetailed: true });
    await device.plan([0]);
    const { entries } = await device.reveal([{ token: 9, details: detailsOf(3) }]);
    assertEquals([entries[0]!.start, entries[0]!.tokens], [4, [9, MASK, MASK, MASK]]);
    assertEquals(entries[0]!.details, [detailsOf(3), null, null, null]);
  },
);

gpuTest("report() writes nothing of a sequence that is over", async (gpu) => {
  using device = new DeviceSequences(gpu, SIZES);
  device.open(0, {
    ...PLAIN,
    maxTokens: 1,
    strategy: { strategy: "sequential", steps: 1 },
    isDetailed: true,
  });
  const { heads } = await device.plan([0]);
  const first = await device.reveal(heads.map((_, head) => ({ details: detailsOf(head) })));
  assertEquals(first.entries[0]!.details, [0, 1, 2, 3].map(detailsOf));
  await device.plan([0]);
  const { entries } = await device.reveal([]);
  assertEquals([entries[0]!.status, entries[0]!.details], [0, [null, null, null, null]]);
});
