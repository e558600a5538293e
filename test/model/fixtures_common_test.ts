import { join } from "@std/path";
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import {
  HEAD_WORDS,
  type HeadProposal,
  linear,
  paddedHeadSize,
  PROPOSAL_WORDS,
  propose,
  readProposal,
  rotaryTables,
  ROW_WORDS,
  timestepEmbedding,
  timestepFrequencies,
  writeHead,
  writeRow,
} from "../../kernels/mod.ts";
import { cutBlock, ENTROPY_WINDOW, tokenEntropy } from "../../src/engine/stop.ts";
import type { Gpu } from "../../src/gpu/mod.ts";
import { KvCache } from "../../src/model/kv_cache.ts";
import { align } from "../../src/weights/formats.ts";
import { placeInCache, unpair } from "../kernels/host_cache.ts";
import { handOn } from "../kernels/matrices.ts";
import { commonFolder, readJson } from "../support/fixtures.ts";
import { assertClose, gpuTest, readFloats, upload, uploadWords } from "../support/gpu.ts";

/** Of the recordings, whose own arithmetic is f32. */
const RECORDED = { tolerance: 1e-4 };

/** The cases of a recording; each file's README entry says what is in one. */
function casesOf<Case>(file: string): readonly Case[] {
  return readJson(join(commonFolder(), file)) as readonly Case[];
}

/** A draw from weights, which need not sum to 1. */
interface Draw {
  readonly weights: readonly number[];
  readonly topP: number;
  readonly uniform: number;
}

/** Runs the draws, all over as many tokens, through the product's kernel; the mask comes last. */
async function proposeAll(gpu: Gpu, draws: readonly Draw[]): Promise<HeadProposal[]> {
  const mask = draws[0]!.weights.length;
  const stride = align(mask + 1);
  const logits = new Float32Array(draws.length * stride);
  const words = new Uint32Array(draws.length * HEAD_WORDS);
  draws.forEach(({ weights, topP, uniform }, i) => {
    // What cannot be drawn is far below the rest, and finite as logits have to be.
    logits.set(weights.map((weight) => Math.max(Math.log(weight), -1e30)), i * stride);
    const head = { row: i, offset: i, temperature: 1, topP, topK: 0, uniform };
    writeHead(words, i * HEAD_WORDS, head);
  });
  using table = upload(gpu, [draws.length, stride], logits);
  using heads = uploadWords(gpu, words);
  using counts = uploadWords(gpu, [0, draws.length]);
  using proposals = uploadWords(gpu, new Uint32Array(draws.length * PROPOSAL_WORDS));
  const pass = gpu.pass();
  const operands = { heads, counts, proposals, firstHead: 0 };
  const model = { vocabulary: mask + 1, maskToken: mask, keepsCrossing: false };
  propose(pass, { logits: table, ...operands, ...model });
  pass.submit();
  const data = await gpu.read(proposals);
  return draws.map((_, i) => readProposal(data, i));
}

interface NucleusCase {
  readonly p: readonly number[];
  readonly top_p: number;
  readonly out: readonly number[];
  readonly kept: number;
}

gpuTest("propose() keeps the recorded nuclei with their probabilities", async (gpu) => {
  const cases = casesOf<NucleusCase>("nucleus.json");
  for (const [i, { p, top_p: topP, out, kept }] of cases.entries()) {
    const expected = out.flatMap((share, token) => share > 0 ? [{ token, share }] : []);
    assertEquals(expected.length, kept);
    // One draw in the middle of each kept token's stretch.
    let sum = 0;
    const draws = expected.map(({ share }) => {
      sum += share;
      return { weights: p, topP, uniform: sum - share / 2 };
    });
    const proposals = await proposeAll(gpu, draws);
    assertEquals(proposals.map(({ token }) => token), expected.map(({ token }) => token));
    const confidences = proposals.map(({ confidence }) => confidence);
    // They sum to 1, so that no other token is kept.
    assertClose(confidences, expected.map(({ share }) => share), RECORDED, `case ${i}`);
  }
});

interface CategoricalCase {
  readonly p: readonly number[];
  readonly u_cdf: number;
  readonly cdf_index: number;
}

gpuTest("propose() draws the recorded tokens", async (gpu) => {
  for (
    const [i, { p, u_cdf, cdf_index }] of casesOf<CategoricalCase>("categorical.json").entries()
  ) {
    const [proposal] = await proposeAll(gpu, [{ weights: p, topP: 1, uniform: u_cdf }]);
    assert(proposal!.isFinite);
    assertEquals(proposal!.token, cdf_index, `case ${i}`);
  }
});

interface RotaryCase {
  readonly head_dim: number;
  /** Base of the angles; 10,000 where left out. */
  readonly theta?: number;
  readonly pos: number;
  readonly x: readonly number[];
  readonly out: readonly number[];
}

/** Rotates one head as q and as k. */
async function rotate(
  gpu: Gpu,
  { head_dim: headSize, theta: base = 10_000, pos, x }: RotaryCase,
): Promise<Float32Array[]> {
  const headWidth = paddedHeadSize(headSize);
  using rotary = rotaryTables(gpu, { headSize, base });
  using cache = new KvCache(gpu, { layers: 1, heads: 1, headWidth, format: "f32" }, {
    slots: 1,
    pages: 1,
    maxPages: 1,
  });
  cache.reserve(0, 1);
  const [layer] = cache.layers;
  const words = new Uint32Array(ROW_WORDS);
  const row = { token: 0, position: pos, slot: 0, first: 0, end: pos + 1, condition: 0 };
  writeRow(words, 0, row);
  using rows = uploadWords(gpu, words);
  using counts = uploadWords(gpu, [1, 1]);
  const data = new Float32Array(3 * headWidth);
  for (const part of [0, 1, 2]) data.set(x, part * headWidth);
  using operand = upload(gpu, [1, data.length], data);
  using weight = handOn(gpu, { heads: 1, headSize, headWidth });
  const pass = gpu.pass();
  const epilogue = { type: "rope_store", rows, cache: layer!, rotary } as const;
  using q = linear(pass, { x: operand, weight, counts, epilogue });
  pass.submit();
  const pageTokens = layer!.k.shape[2]!;
  const stored = await readFloats(gpu, layer!.k);
  const shape = { heads: 1, pageTokens, headWidth, format: "f32" } as const;
  const page = new Uint32Array(await gpu.read(layer!.pages))[1]!;
  const k = Array.from(
    { length: headSize },
    (_, i) => stored[placeInCache(shape, { page, head: 0, token: pos % pageTokens, i })]!,
  );
  return [(await readFloats(gpu, q)).subarray(0, headSize), k].map((each) =>
    unpair(each, headSize)
  );
}

gpuTest("linear() rotates the recorded vectors", async (gpu) => {
  for (const each of casesOf<RotaryCase>("rotary.json")) {
    for (const rotated of await rotate(gpu, each)) {
      each.out.forEach((value, i) => {
        const where = `component ${i} of ${each.head_dim} at position ${each.pos}`;
        // The recording multiplies position and frequency in f32: 1e-4 absolute at position 1024.
        assertAlmostEquals(rotated[i]!, value, 1e-4, where);
      });
    }
  }
});

gpuTest("linear() rotates the vectors of qwen-common, far out too", async (gpu) => {
  const cases = readJson(join(commonFolder("qwen-common"), "rotary.json")) as RotaryCase[];
  assert(cases.some(({ pos }) => pos > 32_000));
  for (const each of cases) {
    for (const rotated of await rotate(gpu, each)) {
      assertClose(rotated, each.out, {}, `${each.head_dim} at position ${each.pos}`);
    }
  }
});

gpuTest("timestepEmbedding() gives the recorded features", async (gpu) => {
  const recorded = readJson(join(commonFolder(), "timestep_embedding.json")) as {
    t: number[];
    dim: number;
    embedding: number[][];
  };
  const { t, dim, embedding } = recorded;
  using sigma = upload(gpu, [t.length], t);
  const data = timestepFrequencies(dim / 2);
  using frequencies = upload(gpu, [data.length], data);
  const pass = gpu.pass();
  using e = timestepEmbedding(pass, { sigma, conditions: t.length, frequencies });
  pass.submit();
  const values = (await readFloats(gpu, e)).subarray(0, e.length);
  assertClose(values, embedding.flat(), RECORDED);
});

interface StopCase {
  readonly name: string;
  readonly var_length: boolean;
  readonly eos: number;
  readonly x: readonly number[];
  readonly entropy: number;
  readonly stop: boolean;
  readonly out_length: number;
}

/** What the original stops below. */
const ENTROPY_LIMIT = 4;

Deno.test("tokenEntropy() gives what the original's stop condition measures", () => {
  for (const { name, x, entropy } of casesOf<StopCase>("stop_conditions.json")) {
    assertClose([tokenEntropy(x.slice(-ENTROPY_WINDOW))], [entropy], RECORDED, name);
  }
});

Deno.test("cutBlock() with min_entropy 4 stops where the original stops by entropy", () => {
  for (const { name, x, ...recorded } of casesOf<StopCase>("stop_conditions.json")) {
    const options = { left: Infinity, stopTokens: [], minEntropy: ENTROPY_LIMIT };
    const { end } = cutBlock(x.slice(-1), { ...options, recent: x.slice(0, -1) });
    assertEquals(end === "entropy", recorded.entropy < ENTROPY_LIMIT, name);
    // At a fixed length there is no other reason.
    if (!recorded.var_length) assertEquals(end === "entropy", recorded.stop, name);
  }
});

Deno.test("cutBlock() keeps what the original keeps up to its end token", () => {
  const cases = casesOf<StopCase>("stop_conditions.json").filter(({ var_length, entropy }) =>
    // Where both conditions hold, the original cuts 256 tokens off instead.
    var_length && entropy >= ENTROPY_LIMIT
  );
  assert(cases.some(({ stop }) => stop));
  for (const { name, x, eos, stop, out_length } of cases) {
    const options = { left: Infinity, stopTokens: [eos], minEntropy: 0, recent: [] };
    const { tokens, end } = cutBlock(x.slice(1), options);
    // The first token is the leading BOS, which is not generated.
    assertEquals([1 + tokens.length, end === "eos"], [out_length, stop], name);
  }
});
