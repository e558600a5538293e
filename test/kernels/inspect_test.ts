import { assert, assertEquals } from "@std/assert";
import {
  DETAIL_WORDS,
  inspect,
  PROPOSAL_WORDS,
  readDetails,
  type TokenDetails,
  TOP_TOKENS,
} from "../../kernels/mod.ts";
import type { Gpu } from "../../src/gpu/mod.ts";
import { largest, logProbabilities } from "../reference/reveal.ts";
import { assertClose, gpuTest, noise, upload, uploadWords } from "../support/gpu.ts";

/** Stands in every place before. */
const UNTOUCHED = 7;

interface Asked {
  /** [tokens, vocabulary]. */
  readonly logits: ArrayLike<number>;
  /** What was proposed, one for each row. */
  readonly tokens: readonly number[];
  readonly vocabulary: number;
  readonly mask: number;
  /** Heads of the pass before these. */
  readonly firstHead?: number;
  /** Live ones of these; all where left out. */
  readonly live?: number;
}

/** Words of all places afterwards, those of the heads before included. */
async function inspectAll(gpu: Gpu, asked: Asked): Promise<Uint32Array<ArrayBuffer>> {
  const { logits, tokens, vocabulary, mask, firstHead = 0, live = tokens.length } = asked;
  const padded = Math.ceil(vocabulary / 32) * 32;
  // What pads the vocabulary must not matter.
  const rows = new Float32Array(tokens.length * padded).fill(1e30);
  const proposals = new Uint32Array((firstHead + tokens.length) * PROPOSAL_WORDS);
  const floats = new Float32Array(proposals.buffer);
  tokens.forEach((token, i) => {
    rows.set(Array.from(logits).slice(i * vocabulary, (i + 1) * vocabulary), i * padded);
    const at = (firstHead + i) * PROPOSAL_WORDS;
    proposals[at] = token;
    floats[at + 2] = i + 0.5;
  });
  using table = upload(gpu, [tokens.length, padded], rows);
  using proposed = uploadWords(gpu, proposals);
  using counts = uploadWords(gpu, [0, firstHead + live]);
  const places = (firstHead + tokens.length) * DETAIL_WORDS;
  using details = uploadWords(gpu, Array(places).fill(UNTOUCHED));
  const pass = gpu.pass();
  const operands = { counts, proposals: proposed, details, firstHead, vocabulary };
  inspect(pass, { logits: table, ...operands, maskToken: mask });
  pass.submit();
  return new Uint32Array(await gpu.read(details), 0, places);
}

/** What is told of each row. */
async function detailsOf(gpu: Gpu, asked: Asked): Promise<TokenDetails[]> {
  const words = await inspectAll(gpu, asked);
  return asked.tokens.map((_, i) => readDetails(words, i * DETAIL_WORDS));
}

// Fewer tokens than are told, ragged tails, one column more than the lanes, and real sizes.
for (const vocabulary of [2, 3, 5, 6, 61, 256, 257, 513, 4096, 50258]) {
  for (const mask of new Set([vocabulary - 1, 0, 1])) {
    gpuTest(
      `inspect() matches the reference: vocabulary ${vocabulary}, mask ${mask}`,
      async (gpu) => {
        const tokens = [0, 1, vocabulary >> 1, vocabulary - 2, vocabulary - 1]
          .filter((token) => token !== mask);
        const logits = noise(tokens.length * vocabulary, vocabulary).map((value) => value * 6);
        const all = await detailsOf(gpu, { logits, tokens, vocabulary, mask });
        all.forEach(({ entropy, logprob, top }, i) => {
          const row = logits.subarray(i * vocabulary, (i + 1) * vocabulary);
          const logP = logProbabilities(row, mask);
          const expected = largest(logP, TOP_TOKENS);
          assertEquals(entropy, i + 0.5);
          assertEquals(top.map(({ token }) => token), expected.map(({ token }) => token));
          const probable = top.map((each) => each.logprob);
          // WGSL's log is exact to 2^-21 near 1.
          const exact = expected.map((each) => each.logprob);
          assertClose([logprob, ...probable], [logP[tokens[i]!]!, ...exact]);
          const own = top.find(({ token }) => token === tokens[i]);
          if (own) assertEquals(logprob, own.logprob, "a token has one probability");
        });
      },
    );
  }
}

gpuTest(
  "inspect() puts equals in the order of their ids, whichever lanes have them",
  async (gpu) => {
    const vocabulary = 1031;
    const row = Array<number>(vocabulary).fill(0);
    // One lane has 8 and 9 in a column, 520 and 521 in a later one, and then the best of all.
    for (const token of [1030, 520, 9, 8, 521, 300]) row[token] = 3;
    row[776] = 5;
    const asked = { logits: row, tokens: [520], vocabulary, mask: 0 };
    const [details] = await detailsOf(gpu, asked);
    assertEquals(details!.top.map(({ token }) => token), [776, 8, 9, 300, 520]);
    const flat = { ...asked, logits: Array<number>(vocabulary).fill(-2) };
    const [evenly] = await detailsOf(gpu, flat);
    assertEquals(evenly!.top.map(({ token }) => token), [1, 2, 3, 4, 5]);
    assertEquals(new Set(evenly!.top.map(({ logprob }) => logprob)), new Set([evenly!.logprob]));
  },
);

gpuTest("inspect() finds the best five in one lane, rising or falling", async (gpu) => {
  const vocabulary = 4096;
  // Columns 3, 67, 131, … are those of one lane.
  const places = Array.from({ length: 8 }, (_, i) => 4 * (3 + 64 * i) + i % 4);
  for (const order of [places, places.toReversed()]) {
    const row = Array<number>(vocabulary).fill(0);
    order.forEach((token, i) => row[token] = 1 + i / 8);
    const [details] = await detailsOf(gpu, { logits: row, tokens: [1], vocabulary, mask: 4095 });
    assertEquals(details!.top.map(({ token }) => token), order.toReversed().slice(0, 5));
  }
});

gpuTest(
  "inspect() stands logits far beyond what exp can take, and is never above 0",
  async (gpu) => {
    const logits = [3e37, -3e37, 1, 0];
    const asked = { logits: [...logits, ...logits], tokens: [0, 1], vocabulary: 4, mask: 3 };
    const [sure, impossible] = await detailsOf(gpu, asked);
    assertEquals(sure!.logprob, 0);
    assertEquals(sure!.top.map(({ token }) => token), [0, 2, 1]);
    assertClose([impossible!.logprob], [-6e37]);
  },
);

gpuTest(
  "inspect() writes from the first head on, and no further than the live ones",
  async (gpu) => {
    const asked = { logits: [0, 1, 2, 9, 0, 1, 2, 9, 0, 1, 2, 9], vocabulary: 4, mask: 3 };
    const words = await inspectAll(gpu, { ...asked, tokens: [0, 1, 2], firstHead: 2, live: 2 });
    const isTouched = Array.from(
      { length: 5 },
      (_, head) =>
        words.subarray(head * DETAIL_WORDS, (head + 1) * DETAIL_WORDS)
          .some((word) => word !== UNTOUCHED),
    );
    assertEquals(isTouched, [false, false, true, true, false]);
    const told = [2, 3].map((head) => readDetails(words, head * DETAIL_WORDS));
    assert(told[0]!.logprob < told[1]!.logprob);
  },
);

gpuTest("inspect() does not look at the logit of the mask", async (gpu) => {
  const asked = { tokens: [1], vocabulary: 3, mask: 2 };
  const [one] = await detailsOf(gpu, { logits: [0, 0, 99], ...asked });
  const [other] = await detailsOf(gpu, { logits: [0, 0, NaN], ...asked });
  assertEquals(one, other);
  assertClose([one!.logprob], [Math.log(0.5)]);
});
