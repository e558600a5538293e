import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { assertClose, gpuTest, noise } from "../support/gpu.ts";
import { commonFolder, readJson } from "../support/fixtures.ts";
import { type Draw, expected, proposeAll } from "../support/propose.ts";

/** A draw of every kind. */
const DRAWS: readonly Draw[] = [
  { temperature: 1, topP: 1, topK: 0, uniform: 0 },
  { temperature: 1, topP: 1, topK: 0, uniform: 0.4375 },
  { temperature: 0.7, topP: 0.8, topK: 0, uniform: 0.3125 },
  { temperature: 1.5, topP: 0.95, topK: 7, uniform: 0.6875 },
  { temperature: 1, topP: 1, topK: 3, uniform: 0.8125 },
  { temperature: 1, topP: 0.05, topK: 0, uniform: 0.999 },
  // Of what top-k leaves, the first token alone crosses top-p.
  { temperature: 1, topP: 0.3, topK: 2, uniform: 0.999 },
  { temperature: 0, topP: 0.5, topK: 2, uniform: 0.5 },
];

// The smallest vocabulary, ragged tails, one element more than the lanes, and real sizes.
for (const vocabulary of [2, 3, 61, 129, 257, 513, 4096, 50258]) {
  for (const keepsCrossing of [false, true]) {
    const rule = keepsCrossing ? "keeps" : "drops";
    const name = `for a vocabulary of ${vocabulary}, and ${rule} what crosses top-p`;
    gpuTest(`propose() matches the reference ${name}`, async (gpu) => {
      const mask = vocabulary - 1;
      const logits = noise(DRAWS.length * vocabulary, vocabulary).map((value) => value * 6);
      const options = { vocabulary, mask, draws: DRAWS, keepsCrossing };
      const proposals = await proposeAll(gpu, logits, options);
      DRAWS.forEach((draw, i) => {
        const row = logits.subarray(i * vocabulary, (i + 1) * vocabulary);
        const { token, confidence, entropy } = expected(row, mask, { ...draw, keepsCrossing });
        const label = JSON.stringify(draw);
        assertEquals(proposals[i]!.token, token, label);
        assert(proposals[i]!.isFinite);
        // Sums over 50,000 terms in f32.
        assertClose([proposals[i]!.confidence], [confidence], { tolerance: 1e-4 }, label);
        // WGSL's log is exact to 2^-21 near 1, so that no entropy is better.
        const entropyError = Math.abs(proposals[i]!.entropy - entropy);
        assert(
          entropyError <= 2 ** -20 + 1e-4 * entropy,
          `${label}: entropy is ${entropyError} off`,
        );
      });
    });
  }
}

gpuTest("propose() follows the reference along the whole distribution", async (gpu) => {
  const vocabulary = 300;
  const row = noise(vocabulary, 5).map((value) => value * 3);
  const draws = Array.from({ length: 256 }, (_, i) => ({
    temperature: 1,
    topP: i % 2 === 0 ? 1 : 0.9,
    topK: i % 3 === 0 ? 40 : 0,
    uniform: (i + 0.5) / 256,
  }));
  const logits = Float32Array.from(draws.flatMap(() => [...row]));
  const proposals = await proposeAll(gpu, logits, { vocabulary, mask: 17, draws });
  draws.forEach((draw, i) => {
    const { token } = expected(row, 17, draw);
    assertEquals(proposals[i]!.token, token, JSON.stringify(draw));
  });
});

gpuTest("propose() keeps equals in the order of their ids", async (gpu) => {
  // Four equal tokens: a nucleus of 0.6 has room for two of them, whose inclusive sum is 0.5; where
  // it keeps what crosses it, for three.
  const draws = [0, 0.49, 0.51, 0.99].map((uniform) => ({
    temperature: 1,
    topP: 0.6,
    topK: 0,
    uniform,
  }));
  const logits = draws.flatMap(() => [1, 1, 1, 1, 0]);
  const options = { vocabulary: 5, mask: 4, draws };
  const dropping = await proposeAll(gpu, logits, options);
  assertEquals(dropping.map(({ token }) => token), [0, 0, 1, 1]);
  assertEquals(dropping.map(({ confidence }) => confidence), [0.5, 0.5, 0.5, 0.5]);
  const keeping = await proposeAll(gpu, logits, { ...options, keepsCrossing: true });
  assertEquals(keeping.map(({ token }) => token), [0, 1, 1, 2]);
});

gpuTest("propose() keeps ties at the edge of top-k", async (gpu) => {
  const draws = [0, 0.3, 0.7, 0.99].map((uniform) => ({
    temperature: 1,
    topP: 1,
    topK: 2,
    uniform,
  }));
  const logits = draws.flatMap(() => [0, 2, 2, -1, 2, 9]);
  const proposals = await proposeAll(gpu, logits, { vocabulary: 6, mask: 5, draws });
  assertEquals(proposals.map(({ token }) => token), [1, 1, 4, 4]);
});

gpuTest("propose() takes the lowest id of equals at temperature 0", async (gpu) => {
  const draws = [{ temperature: 0, topP: 1, topK: 0, uniform: 0.9 }];
  const logits = [-3, 5, 5, 7, 5, 5];
  const [proposal] = await proposeAll(gpu, logits, { vocabulary: 6, mask: 3, draws });
  assertEquals(proposal!.token, 1);
});

gpuTest("propose() writes from the first head on", async (gpu) => {
  const draws = [{ temperature: 0, topP: 1, topK: 0, uniform: 0 }];
  const logits = [0, 1, 0];
  const options = { vocabulary: 3, mask: 2, draws, firstHead: 5 };
  const [proposal] = await proposeAll(gpu, logits, options);
  assertEquals(proposal!.token, 1);
});

for (const bad of [NaN, Infinity, -Infinity]) {
  gpuTest(`propose() reports ${bad} among the logits`, async (gpu) => {
    const draws = [1, 0].map((temperature) => ({ temperature, topP: 0.9, topK: 0, uniform: 0.5 }));
    const logits = draws.flatMap(() => [0.5, 1, bad, 2, 0]);
    const proposals = await proposeAll(gpu, logits, { vocabulary: 5, mask: 4, draws });
    assertEquals(proposals.map(({ isFinite }) => isFinite), [false, false]);
  });
}

interface FilterCase {
  readonly temperature: number;
  readonly top_k: number;
  readonly top_p: number;
  readonly logits: number[];
  readonly kept: number[];
  readonly probs: number[];
}

gpuTest(
  "propose() keeps what SDAR's filters keep, and gives it their probabilities",
  async (gpu) => {
    const cases = readJson(join(commonFolder("qwen-common"), "filters.json")) as FilterCase[];
    for (const [i, { logits, kept, probs, ...filters }] of cases.entries()) {
      // In the middle of each kept token's share; the mask is one more.
      let before = 0;
      const draws = kept.map((id): Draw => {
        const uniform = before + probs[id]! / 2;
        before += probs[id]!;
        const { temperature, top_k: topK, top_p: topP } = filters;
        return { temperature, topK, topP, uniform };
      });
      const vocabulary = logits.length + 1;
      const rows = draws.flatMap(() => [...logits, 50]);
      const options = { vocabulary, mask: logits.length, draws, keepsCrossing: true };
      const proposals = await proposeAll(gpu, rows, options);
      assertEquals(proposals.map(({ token }) => token), kept, `case ${i}`);
      assertClose(proposals.map(({ confidence }) => confidence), kept.map((id) => probs[id]!));
    }
  },
);
