import { join } from "@std/path";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { drawCopy, type Estimator, type NoisyCopy } from "../../src/evaluation/noisy_copy.ts";
import { type LogProbabilities, NotFiniteError, Scorer } from "../../src/evaluation/scorer.ts";
import type { NoisyText } from "../../src/evaluation/scoring_plan.ts";
import type { Gpu } from "../../src/gpu/mod.ts";
import type { Network } from "../../src/model/network.ts";
import { subsLogProbabilities } from "../reference/forward.ts";
import { forwardTwoStream, loadNetwork as loadReference } from "../reference/network.ts";
import { integersOf, readFixture } from "../support/fixtures.ts";
import { finish } from "../support/finish.ts";
import { loadNetwork } from "../support/forward.ts";
import { assertClose, gpuTest, noise } from "../support/gpu.ts";
import { writeTinyCheckpoint } from "../support/checkpoints.ts";
import { withTempDir } from "../support/temp_dir.ts";

const FIXTURES = join(import.meta.dirname!, "../fixtures");
const TINY = join(FIXTURES, "bd3lm-tiny");
/** The same with the noise level told. */
const TINY_TC = join(FIXTURES, "bd3lm-tiny-tc");
const MASK = 60;
const COUNTS: Estimator = { type: "counts" };

const TOKENS = integersOf(readFixture(join(TINY, "train.safetensors")), "x0");

/** The first tokens of the recordings, and copies of them. */
function textOf(
  { length, given, blockSize, copies }: {
    length: number;
    given: number;
    blockSize: number;
    copies: number;
  },
): NoisyText {
  const text = { x0: TOKENS.slice(0, length), given, blockSize };
  const draws = Array.from({ length: copies }, (_, draw) => draw);
  const options = { estimator: COUNTS, maskToken: MASK, seed: 5 };
  return { ...text, copies: draws.map((draw) => drawCopy(text, { ...options, draw })) };
}

/** Texts of several lengths, with several copies, in blocks of several sizes. */
const TEXTS: readonly NoisyText[] = [
  textOf({ length: 32, given: 1, blockSize: 4, copies: 2 }),
  textOf({ length: 1, given: 0, blockSize: 4, copies: 1 }),
  textOf({ length: 15, given: 6, blockSize: 4, copies: 3 }),
  textOf({ length: 7, given: 1, blockSize: 32, copies: 2 }),
  textOf({ length: 32, given: 0, blockSize: 32, copies: 1 }),
  textOf({ length: 13, given: 1, blockSize: 1, copies: 1 }),
  textOf({ length: 21, given: 19, blockSize: 2, copies: 2 }),
];

async function score(
  gpu: Gpu,
  network: Network,
  { rows, rowsOfPass, texts = TEXTS }: {
    rows: number;
    rowsOfPass?: () => number;
    texts?: readonly NoisyText[];
  },
): Promise<LogProbabilities> {
  using scorer = await Scorer.open(gpu, network, { rows });
  return await finish(scorer.score(texts, { ...(rowsOfPass && { rowsOfPass }) }));
}

/** ln p of the masked tokens, 0 for the others, in float64. */
function expected(folder: string, text: NoisyText, { xt, sigma }: NoisyCopy): Float64Array {
  const { x0, blockSize } = text;
  const rest = Array(Math.ceil(x0.length / blockSize) * blockSize - x0.length).fill(MASK);
  const reference = loadReference(folder);
  const streams = { x0: [...x0, ...rest], xt: [...xt, ...rest], sigma, blockSize };
  const logits = forwardTwoStream(reference, streams);
  const all = subsLogProbabilities(logits, streams.xt, { mask: MASK });
  const { vocab_size: vocabulary } = reference.config;
  return Float64Array.from(x0, (token, i) => xt[i] === MASK ? all[i * vocabulary + token]! : 0);
}

function assertExpected(actual: LogProbabilities, folder: string, tolerance: number): void {
  for (const [i, text] of TEXTS.entries()) {
    for (const [copy, each] of text.copies.entries()) {
      const label = `text ${i}, copy ${copy}`;
      assertClose(actual[i]![copy]!, expected(folder, text, each), { tolerance }, label);
    }
  }
}

gpuTest("score() matches the reference for any block size, length and context", async (gpu) => {
  using network = loadNetwork(gpu, TINY, { format: "f32" });
  assertExpected(await score(gpu, network, { rows: 512 }), TINY, 1e-5);
});

gpuTest("score() tells every copy its noise level", async (gpu) => {
  using network = loadNetwork(gpu, TINY_TC, { format: "f32" });
  assertExpected(await score(gpu, network, { rows: 512 }), TINY_TC, 1e-5);
});

for (const [format, tolerance] of [["f16", 5e-3], ["int8", 5e-2], ["int4", 0.5]] as const) {
  gpuTest(`score() runs on ${format} weights`, async (gpu) => {
    using network = loadNetwork(gpu, TINY, { format });
    // Rounded weights, keys and values: int8 keeps 7 bits of 32 neighbours' largest, int4 a sixteenth of
    // what lies between their ends.
    assertExpected(await score(gpu, network, { rows: 512 }), TINY, tolerance);
  });
}

gpuTest("score() gives the same bits however rows fall into passes", async (gpu) => {
  using network = loadNetwork(gpu, TINY, { format: "f32" });
  const whole = await score(gpu, network, { rows: 512 });
  assertEquals(await score(gpu, network, { rows: 48 }), whole);
  // Passes of one block each: those of 32 have more rows than is asked for.
  assertEquals(await score(gpu, network, { rows: 1 }), whole);
  let pass = 0;
  const rowsOfPass = () => [7, 1, 33, 12, 90][pass++ % 5]!;
  assertEquals(await score(gpu, network, { rows: 64, rowsOfPass }), whole);
  assert(pass > 5, "in several passes");
});

gpuTest("score() goes round the pages of copies, and through logits in parts", async (gpu) => {
  const config = { vocab_size: 50_258, model_length: 512 };
  using network = await withTempDir((directory) =>
    loadNetwork(gpu, writeTinyCheckpoint(directory, { config }), { format: "f32" })
  );
  const x0 = Array.from(noise(512), (each) => Math.floor((each + 1) * 25_000));
  const texts = [[1, 1], [8, 2]].map(([blockSize, copies]) => {
    const text = { x0, given: 1, blockSize: blockSize! };
    const { maskToken } = network.config;
    const options = { estimator: COUNTS, maskToken, seed: 3 };
    const draws = Array.from({ length: copies! }, (_, draw) => draw);
    return { ...text, copies: draws.map((draw) => drawCopy(text, { ...options, draw })) };
  });
  // 511 heads of a pass, of which the logits of 333 fit.
  const whole = await score(gpu, network, { rows: 4096, texts });
  // Copies have 3 pages for 16: the last keys are where the first were.
  assertEquals(await score(gpu, network, { rows: 48, texts }), whole);
});

gpuTest("score() stops after every pass, and may be left there", async (gpu) => {
  using network = loadNetwork(gpu, TINY, { format: "f32" });
  using scorer = await Scorer.open(gpu, network, { rows: 16 });
  const [text] = TEXTS;
  const steps = scorer.score([text!]);
  // Blocks 0 to 6 clean, and 0 to 7 of a copy: 28 + 32 rows, in passes of up to 16. The cache of such
  // a scorer has room for one of the two copies at a time.
  const progress: unknown[] = [];
  for await (const each of steps) progress.push(each);
  const doneRows = [16, 32, 48, 60, 76, 92, 108, 120];
  assertEquals(progress, doneRows.map((each) => ({ doneRows: each, allRows: 120 })));
  for (let i = 0; i < 3; i++) {
    // What was under way has left the cache.
    for await (const _ of scorer.score(TEXTS)) break;
  }
  const [[first]] = await finish(scorer.score([text!])) as [[Float64Array]];
  assertClose(first, expected(TINY, text!, text!.copies[0]!));
});

gpuTest("score() does not ask about what is not masked", async (gpu) => {
  using network = loadNetwork(gpu, TINY, { format: "f32" });
  using scorer = await Scorer.open(gpu, network, { rows: 64 });
  const { x0, ...text } = TEXTS[0]!;
  const clean = { xt: x0, weights: new Float64Array(32), sigma: 0 };
  const texts = [{ ...text, x0, copies: [clean] }];
  assertEquals(await finish(scorer.score(texts)), [[new Float64Array(32)]]);
});

gpuTest("score() throws where the network gives no finite numbers", async (gpu) => {
  using network = loadNetwork(gpu, TINY, { format: "f32" });
  using scorer = await Scorer.open(gpu, network, { rows: 64 });
  gpu.write(network.weights.normFinal, new Float32Array(64).fill(NaN));
  await assertRejects(() => finish(scorer.score(TEXTS)), NotFiniteError);
});
