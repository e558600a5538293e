import { join } from "@std/path";
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { NOISE_SCHEDULES, TIMES } from "../../src/diffusion/noise.ts";
import {
  type Bound,
  type BoundOptions,
  boundsOf,
  estimate,
  lossOf,
} from "../../src/evaluation/likelihood.ts";
import type { Estimator, Text } from "../../src/evaluation/noisy_copy.ts";
import { Scorer } from "../../src/evaluation/scorer.ts";
import type { Gpu } from "../../src/gpu/mod.ts";
import { subsLogProbabilities } from "../reference/forward.ts";
import {
  forwardBlockCausal,
  forwardTwoStream,
  loadNetwork as loadReference,
} from "../reference/network.ts";
import { integersOf, readFixture } from "../support/fixtures.ts";
import { finish } from "../support/finish.ts";
import { loadNetwork } from "../support/forward.ts";
import { assertClose, gpuTest } from "../support/gpu.ts";

const TINY = join(import.meta.dirname!, "../fixtures/bd3lm-tiny");
const MASK = 60;
const COUNTS: Estimator = { type: "counts" };
const TOKENS = integersOf(readFixture(join(TINY, "train.safetensors")), "x0");

async function bounds(
  gpu: Gpu,
  texts: readonly Text[],
  options: Partial<BoundOptions> = {},
): Promise<Bound[]> {
  using network = loadNetwork(gpu, TINY, { format: "f32" });
  using scorer = await Scorer.open(gpu, network, { rows: 512 });
  const defaults = { estimator: COUNTS, samples: 1, seed: 1 };
  return await finish(boundsOf(scorer, texts, { ...defaults, ...options }));
}

/** −ln p of every scored token given those before it, one pass each, in float64. */
function tokenByToken({ x0, given }: Text): number[] {
  const reference = loadReference(TINY);
  const { vocab_size: vocabulary } = reference.config;
  return x0.slice(given).map((token, j) => {
    const i = given + j;
    const tokens = [...x0.slice(0, i), MASK];
    const { logits } = forwardBlockCausal(reference, { tokens, sigma: 0, blockSize: 1 });
    const last = logits.slice(i * vocabulary);
    return -subsLogProbabilities(last, [MASK], { mask: MASK })[token]!;
  });
}

/**
 * The bound of a text in one block, with the sum over all choices of masks in place of draws:
 * every number k of them as likely, every choice of k alike, each token counting n / k.
 */
function allMasks(text: Text): number {
  const { x0, given, blockSize } = text;
  const reference = loadReference(TINY);
  const { vocab_size: vocabulary } = reference.config;
  const scored = x0.length - given;
  const choices = Array.from({ length: 2 ** scored - 1 }, (_, i) => i + 1);
  const byCount = Map.groupBy(choices, (bits) => bits.toString(2).replaceAll("0", "").length);
  let nats = 0;
  for (const [count, group] of byCount) {
    for (const bits of group) {
      const rest = Array(blockSize - x0.length).fill(MASK);
      const xt = [
        ...x0.map((token, i) => i >= given && bits >> (i - given) & 1 ? MASK : token),
        ...rest,
      ];
      const streams = { xt, x0: [...x0, ...rest], sigma: 0, blockSize };
      const logits = forwardTwoStream(reference, streams);
      const logP = subsLogProbabilities(logits, xt, { mask: MASK });
      const loss = x0.reduce((sum, token, i) => sum - logP[i * vocabulary + token]!, 0);
      nats += scored / count * loss / group.length / scored;
    }
  }
  return nats;
}

gpuTest("boundsOf() is exact where blocks have one token, whatever is drawn", async (gpu) => {
  const texts = [
    { x0: TOKENS.slice(0, 32), given: 1, blockSize: 1 },
    { x0: TOKENS.slice(32, 49), given: 5, blockSize: 1 },
    { x0: TOKENS.slice(3, 8), given: 0, blockSize: 1 },
  ];
  const found = await bounds(gpu, texts, { samples: 3, byToken: true });
  for (const [i, { tokens, nelbo, error, isExact, byToken }] of found.entries()) {
    assertEquals([tokens, error, isExact], [[31, 12, 5][i], 0, true]);
    const expected = tokenByToken(texts[i]!);
    // Sums of f32 logarithms.
    assertAlmostEquals(nelbo / sum(expected), 1, 1e-5, `text ${i}`);
    assertClose(byToken!, expected);
  }
  const schedule = NOISE_SCHEDULES.cosine;
  const byTimes = await bounds(gpu, texts, {
    estimator: { type: "times", schedule, times: TIMES },
    seed: 99,
    byToken: true,
  });
  assertEquals(byTimes, found);
});

for (
  const [name, estimator] of [
    ["counts", COUNTS],
    ["times", { type: "times", schedule: NOISE_SCHEDULES.loglinear, times: TIMES }],
    ["logarithmic times", {
      type: "times",
      schedule: NOISE_SCHEDULES.logarithmic,
      times: TIMES,
    }],
  ] as readonly [string, Estimator][]
) {
  gpuTest(`boundsOf() by ${name} comes to the sum over all choices of masks`, async (gpu) => {
    const text = { x0: TOKENS.slice(0, 7), given: 1, blockSize: 8 };
    const expected = allMasks(text);
    const [found] = await bounds(gpu, [text], { samples: 3000, estimator, seed: 5 });
    assert(!found!.isExact);
    // A share of 1e-3 of the times is left out, where hardly anything is masked.
    assertAlmostEquals(found!.nelbo, expected, 4 * found!.error + 1e-3 * expected);
    assert(found!.error > 0 && found!.error < 0.03 * expected, `error ${found!.error}`);
  });
}

gpuTest(
  "boundsOf() says what each token has in the bound, where that is asked for",
  async (gpu) => {
    const text = { x0: TOKENS.slice(0, 30), given: 3, blockSize: 8 };
    const [plain] = await bounds(gpu, [text], { samples: 5 });
    assertEquals(plain!.byToken, undefined);
    const [found] = await bounds(gpu, [text], { samples: 5, byToken: true });
    const { byToken, ...rest } = found!;
    assertEquals(rest, plain);
    assertEquals(byToken!.length, 27);
    assert(byToken!.every((nats) => nats >= 0));
    assertAlmostEquals(sum(byToken!), rest.nelbo, 1e-9);
  },
);

gpuTest("boundsOf() gives a text the same number alone and among others", async (gpu) => {
  const texts = [
    { x0: TOKENS.slice(0, 32), given: 1, blockSize: 4 },
    { x0: TOKENS.slice(32, 40), given: 1, blockSize: 8 },
    { x0: TOKENS.slice(0, 32), given: 1, blockSize: 4 },
  ];
  const options = { samples: 4, seed: 12 };
  const all = await bounds(gpu, texts, options);
  assertEquals(all[2], all[0]);
  const [alone] = await bounds(gpu, [texts[1]!], options);
  assertEquals(alone, all[1]);
  const [other] = await bounds(gpu, [texts[1]!], { ...options, seed: 13 });
  assert(other!.nelbo !== alone!.nelbo);
  const placed = await bounds(gpu, texts, { ...options, positionOf: (i) => 100 * i });
  assertEquals(placed[0], all[0]);
  assert(placed[2]!.nelbo !== all[2]!.nelbo);
});

Deno.test("estimate() gives mean and standard error", () => {
  assertEquals(estimate([1, 2, 3, 6]), { mean: 3, error: Math.sqrt(14 / 3 / 4) });
  assertEquals(estimate([5]), { mean: 5, error: 0 });
});

Deno.test("lossOf() weighs what is masked", () => {
  const copy = { xt: [], weights: Float64Array.of(0, 2, 0, 0.5), sigma: 0 };
  assertEquals(lossOf(copy, [-Infinity, -3, NaN, -4]), 8);
});

function sum(values: readonly number[]): number {
  return values.reduce((total, each) => total + each, 0);
}
