import { assert, assertEquals } from "@std/assert";
import { logProb } from "../../kernels/mod.ts";
import type { Gpu } from "../../src/gpu/mod.ts";
import { subsLogProbabilities } from "../reference/forward.ts";
import { assertClose, gpuTest, noise, readFloats, upload, uploadWords } from "../support/gpu.ts";

/** Stands in every place before. */
const UNTOUCHED = 7;

interface Asked {
  /** [targets, vocabulary]. */
  readonly logits: ArrayLike<number>;
  readonly targets: readonly number[];
  readonly vocabulary: number;
  readonly mask: number;
  /** Heads of the pass before these. */
  readonly firstHead?: number;
  /** Live ones of these; all where left out. */
  readonly live?: number;
}

/** What all places hold afterwards, those of the heads before included. */
async function logProbs(gpu: Gpu, asked: Asked): Promise<Float32Array> {
  const { logits, targets, vocabulary, mask, firstHead = 0, live = targets.length } = asked;
  const padded = Math.ceil(vocabulary / 32) * 32;
  // What pads the vocabulary must not matter.
  const rows = new Float32Array(targets.length * padded).fill(1e30);
  targets.forEach((_, i) =>
    rows.set(Array.from(logits).slice(i * vocabulary, (i + 1) * vocabulary), i * padded)
  );
  using table = upload(gpu, [targets.length, padded], rows);
  using ids = uploadWords(gpu, [...Array(firstHead).fill(0), ...targets]);
  using counts = uploadWords(gpu, [0, firstHead + live]);
  using logP = upload(gpu, [ids.length], Array(ids.length).fill(UNTOUCHED));
  const pass = gpu.pass();
  const operands = { targets: ids, counts, logP, firstHead, vocabulary, maskToken: mask };
  logProb(pass, { logits: table, ...operands });
  pass.submit();
  return (await readFloats(gpu, logP)).subarray(0, ids.length);
}

// The smallest vocabulary, ragged tails, one column more than the lanes, and real sizes.
for (const vocabulary of [2, 3, 61, 256, 257, 513, 4096, 50258]) {
  for (const mask of new Set([vocabulary - 1, 0, 1])) {
    gpuTest(
      `logProb() matches the reference: vocabulary ${vocabulary}, mask ${mask}`,
      async (gpu) => {
        const targets = [0, 1, vocabulary >> 1, vocabulary - 2, vocabulary - 1]
          .filter((token) => token !== mask);
        const logits = noise(targets.length * vocabulary, vocabulary).map((value) => value * 6);
        const all = subsLogProbabilities(logits, targets.map(() => mask), { mask });
        const expected = targets.map((token, i) => all[i * vocabulary + token]!);
        const actual = await logProbs(gpu, { logits, targets, vocabulary, mask });
        // Where one token alone is possible, ln p is 0.
        if (vocabulary === 2) assertEquals([...actual], expected.map(() => 0));
        else assertClose(actual, expected);
      },
    );
  }
}

gpuTest("logProb() stands logits far beyond what exp can take", async (gpu) => {
  const logits = [9e4, 9e4 - 2, -9e4, 3e38, -3e37, -3e37, 0, 1e30];
  const targets = [2, 1];
  const actual = await logProbs(gpu, { logits, targets, vocabulary: 4, mask: 3 });
  // Of the first row the largest logit is 90,000, of the second 0.
  assertClose(actual, [-18e4, -3e37]);
});

gpuTest(
  "logProb() writes from the first head on, and no further than the live ones",
  async (gpu) => {
    const asked = { logits: Array(12).fill(0), targets: [0, 1, 0], vocabulary: 4, mask: 3 };
    const actual = await logProbs(gpu, { ...asked, firstHead: 2, live: 2 });
    const third = Math.fround(-Math.log(3));
    assertClose(actual, [UNTOUCHED, UNTOUCHED, third, third, UNTOUCHED]);
  },
);

for (const bad of [NaN, Infinity, -Infinity]) {
  gpuTest(`logProb() gives NaN for ${bad} among the logits`, async (gpu) => {
    const logits = [0.5, 1, bad, 2, 0, 0.5, 1, 1, 2, 0];
    const actual = await logProbs(gpu, { logits, targets: [1, 1], vocabulary: 5, mask: 4 });
    assert(Number.isNaN(actual[0]), `it is ${actual[0]}`);
    assert(Number.isFinite(actual[1]), `it is ${actual[1]}`);
  });
}

gpuTest("logProb() does not look at the logit of the mask", async (gpu) => {
  const asked = { targets: [1], vocabulary: 3, mask: 2 };
  const [one] = await logProbs(gpu, { logits: [0, 0, 99], ...asked });
  const [other] = await logProbs(gpu, { logits: [0, 0, NaN], ...asked });
  assertEquals([one, other], [Math.fround(-Math.LN2), Math.fround(-Math.LN2)]);
});
