import { assert } from "@std/assert";
import { resolve } from "@std/path";
import { Block } from "../../src/diffusion/block.ts";
import { quota } from "../../src/diffusion/quota.ts";
import { reveal, type StrategyOptions } from "../../src/diffusion/remasking/mod.ts";
import { forwardBlockCausal, loadNetwork } from "../reference/network.ts";
import { entropy, nucleus, probabilities, topK } from "../reference/reveal.ts";
import { DeviceEngine, requestOf } from "../support/device_engine.ts";
import { gpuTest } from "../support/gpu.ts";

const TINY = resolve(import.meta.dirname!, "../fixtures/bd3lm-tiny");
const VOCABULARY = 61;
const MASK = 60;
const PROMPT = [7, 21, 3, 44];
const DRAWS = { temperature: 1.2, topK: 4, topP: 0.97 };
const SAMPLES = 2000;

const STRATEGIES: readonly StrategyOptions[] = [
  { strategy: "first_hitting" },
  { strategy: "ancestral", steps: 3 },
  { strategy: "sequential" },
  { strategy: "sequential", steps: 1 },
  { strategy: "random" },
  { strategy: "low_confidence_static" },
  { strategy: "low_confidence_dynamic", threshold: 0.4 },
  { strategy: "entropy_bounded", entropy_bound: 2 },
];

/** What the reference suggests for a block of two after the prompt. */
type Suggest = (block: Block) => { support: Map<number, number>[]; entropy: number[] };

function reference(): Suggest {
  const network = loadNetwork(TINY);
  const known = new Map<string, ReturnType<Suggest>>();
  return (block) => {
    const key = block.tokens.join();
    const cached = known.get(key);
    if (cached) return cached;
    const tokens = [...PROMPT, ...block.tokens];
    const { logits } = forwardBlockCausal(network, { tokens, sigma: 0, blockSize: 2 });
    const rows = [0, 1].map((i) => {
      const start = (PROMPT.length + i) * VOCABULARY;
      const { temperature } = DRAWS;
      return probabilities(logits.subarray(start, start + VOCABULARY), { temperature, mask: MASK });
    });
    const support = rows.map((p) => {
      const kept = nucleus(topK(p, DRAWS.topK), DRAWS.topP);
      return new Map([...kept.entries()].filter(([, share]) => share > 0));
    });
    const suggested = { support, entropy: rows.map(entropy) };
    known.set(key, suggested);
    return suggested;
  };
}

/** Exact probabilities of all pairs: every order and every draw, weighted. */
function exact(suggest: Suggest, options: StrategyOptions): Map<string, number> {
  const result = new Map<string, number>();
  const steps = "steps" in options && options.steps !== undefined ? options.steps : 2;
  // Every pair of steps to fall in for three of them; else the two orders of two positions.
  const places = [1 / 6, 3 / 6, 5 / 6];
  const orders = options.strategy === "ancestral"
    ? places.flatMap((a) => places.map((b) => [a, b]))
    : [[0.25, 0.75], [0.75, 0.25]];
  const walk = (block: Block, step: { index: number; order: number[] }, share: number): void => {
    if (block.masked().length === 0) {
      const key = block.tokens.join();
      result.set(key, (result.get(key) ?? 0) + share);
      return;
    }
    const { support, entropy } = suggest(block);
    for (const [a, pa] of support[0]!) {
      for (const [b, pb] of support[1]!) {
        const next = reveal(block, { tokens: [a, b], confidence: [pa, pb], entropy }, {
          options,
          step: step.index,
          quota: quota(block.masked().length, Math.max(1, steps - step.index)),
          order: step.order,
        });
        walk(next, { ...step, index: step.index + 1 }, share * pa * pb);
      }
    }
  };
  for (const order of orders) {
    walk(new Block([MASK, MASK], MASK), { index: 0, order }, 1 / orders.length);
  }
  return result;
}

/** Σ (observed − expected)² / expected over cells of at least 5; the rest is one cell. */
function chiSquare(observed: Map<string, number>, expected: Map<string, number>) {
  const rest = { observed: SAMPLES, expected: SAMPLES };
  let sum = 0;
  let cells = 0;
  for (const [key, share] of expected) {
    const wanted = share * SAMPLES;
    if (wanted < 5) continue;
    const seen = observed.get(key) ?? 0;
    sum += (seen - wanted) ** 2 / wanted;
    cells += 1;
    rest.observed -= seen;
    rest.expected -= wanted;
  }
  if (rest.expected > 1e-6) {
    sum += (rest.observed - rest.expected) ** 2 / Math.max(rest.expected, 1);
  }
  return { sum, degrees: cells };
}

/** The value that chi-square exceeds once in a thousand. Source: Wilson & Hilferty 1931. */
function critical(degrees: number): number {
  const spread = 2 / (9 * degrees);
  return degrees * (1 - spread + 3.0902 * Math.sqrt(spread)) ** 3;
}

for (const strategy of STRATEGIES) {
  gpuTest(`draws of ${JSON.stringify(strategy)} follow the distribution`, async (gpu) => {
    const expected = exact(reference(), strategy);
    const total = [...expected.values()].reduce((sum, share) => sum + share, 0);
    assert(Math.abs(total - 1) < 1e-9 && expected.size > 4, `${expected.size} pairs, ${total}`);
    await using engine = await DeviceEngine.open(gpu, TINY, { slots: 48 });
    const outcomes = await engine.generate(
      Array.from(
        { length: SAMPLES },
        (_, seed) => requestOf(PROMPT, { maxTokens: 2, blockSize: 2, strategy, seed, ...DRAWS }),
      ),
    );
    const observed = new Map<string, number>();
    for (const { tokens } of outcomes) {
      const key = tokens.join();
      observed.set(key, (observed.get(key) ?? 0) + 1);
    }
    const { sum, degrees } = chiSquare(observed, expected);
    assert(sum < critical(degrees), `chi-square is ${sum} with ${degrees} degrees of freedom`);
  });
}
