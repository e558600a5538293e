import { join } from "@std/path";
import { type Head, HEAD_WORDS, writeHead } from "../../kernels/mod.ts";
import { SHIPPED_MODEL } from "../../src/commands/config.ts";
import { loadTokenizer } from "../../src/commands/load_tokenizer.ts";
import { uniformAt } from "../../src/diffusion/random.ts";
import { Gpu } from "../../src/gpu/mod.ts";
import type { Bd3lm } from "../../src/model/bd3lm.ts";
import { readBd3lmConfig } from "../../src/model/bd3lm_config.ts";
import { Checkpoint } from "../../src/weights/checkpoint.ts";
import {
  blockPasses,
  ForwardHarness,
  loadNetwork,
  type PlacedRows,
  type TwoStreams,
} from "../support/forward.ts";
import type { Figures } from "./figures.ts";

const EXCERPT = join(import.meta.dirname!, "../fixtures/tinystories-valid-excerpt.txt.gz");
const STORY_END = "\n<|endoftext|>\n";
const SEED = 1;
// As many as a change of a hundredth of a percent needs.
const DIGITS = 5;
/** Windows side by side in a pass. */
const SLOTS = 16;
// What is drawn does not matter here; logits do.
const NO_DRAW: Omit<Head, "row" | "offset"> = { temperature: 0, topP: 1, topK: 0, uniform: 0 };

/** A window of text and its noisy copy. */
export interface NoisyWindow extends TwoStreams {
  /** What the loss of each token counts: 0 where it is not masked. */
  readonly weights: Float64Array;
}

/** A mean and its standard error. */
interface Estimate {
  readonly mean: number;
  readonly error: number;
}

/**
 * Measures the bound of the shipped model on held-out stories, or those of the gzip'd file that
 * `BD_NELBO_TEXT` names, for all formats of weights with the same masks.
 */
export async function benchNelbo(): Promise<Figures> {
  const { directory } = SHIPPED_MODEL;
  const windows = await readWindows(Deno.env.get("BD_NELBO_TEXT") || EXCERPT, directory);
  // The first of a window is given.
  const tokens = windows[0]!.x0.length - 1;
  using gpu = await Gpu.open();
  const measure = async (format: "f32" | "f16" | "int8") => {
    using network = loadNetwork(gpu, directory, { format });
    const nats = await nelboOf(gpu, network, windows);
    return nats.map((each) => each / tokens);
  };
  const exact = await measure("f32");
  const figures = boundFigures("f32", exact);
  for (const format of ["f16", "int8"] as const) {
    const nats = await measure(format);
    const whole = estimate(exact).mean;
    const change = estimate(nats.map((each, i) => 100 * (each - exact[i]!) / whole));
    Object.assign(figures, boundFigures(format, nats), {
      [`NELBO, ${format} against f32`]: { value: change.mean, unit: "%" },
      [`NELBO, ${format} against f32, standard error`]: { value: change.error, unit: "%" },
    });
  }
  return figures;
}

function boundFigures(format: string, nats: Float64Array): Figures {
  const { mean, error } = estimate(nats);
  return {
    [`NELBO, ${format}`]: { value: mean, unit: "nats/token", digits: DIGITS },
    [`NELBO, ${format}, standard error`]: { value: error, unit: "nats/token" },
    [`perplexity, ${format}`]: { value: Math.exp(mean), unit: "per token", digits: DIGITS },
  };
}

function estimate(values: Float64Array): Estimate {
  const mean = values.reduce((sum, each) => sum + each, 0) / values.length;
  const squares = values.reduce((sum, each) => sum + (each - mean) ** 2, 0);
  return { mean, error: Math.sqrt(squares / (values.length - 1) / values.length) };
}

/** Noisy windows of the stories in a file, as the model was evaluated on when it was made. */
async function readWindows(path: string, directory: string): Promise<NoisyWindow[]> {
  using checkpoint = Checkpoint.open(directory);
  const config = readBd3lmConfig(checkpoint);
  const { vocabSize, modelLength, blockSize, maskToken, bosToken } = config;
  const { readable } = await Deno.open(path); // Closes the file at its end.
  const stream = readable.pipeThrough(new DecompressionStream("gzip"));
  const stories = (await new Response(stream).text()).split(STORY_END).filter((each) => each);
  const tokenizer = loadTokenizer(checkpoint, vocabSize);
  const tokens = stories.flatMap((story) => [bosToken!, ...tokenizer.encode(story)]);
  const count = Math.floor(tokens.length / modelLength);
  if (count < 2) {
    const expected = `expected at least ${2 * modelLength}`;
    throw new RangeError(`Cannot measure: "${path}" has ${tokens.length} tokens, ${expected}`);
  }
  return Array.from({ length: count }, (_, i) => {
    const x0 = tokens.slice(i * modelLength, (i + 1) * modelLength);
    return maskWindow(x0, { blockSize, maskToken, seed: SEED, position: i * modelLength });
  });
}

/**
 * Masks k tokens of every block, k uniform from 1 to all of them, a random choice of that size. The
 * window's first token stays. Of n tokens in a block, each masked one counts n / k: this is in the
 * mean the bound of the loglinear schedule, with less noise.
 *
 * Source: Arriola et al. 2025, the loss of a block for α = 1 − t with its integral over t taken.
 *
 * @param options `position` of the window in the text: what is drawn depends on it and the seed.
 */
export function maskWindow(
  x0: readonly number[],
  { blockSize, maskToken, seed, position }: {
    readonly blockSize: number;
    readonly maskToken: number;
    readonly seed: number;
    readonly position: number;
  },
): NoisyWindow {
  const xt = [...x0];
  const weights = new Float64Array(x0.length);
  const draw = (stream: "time" | "order", at: number) =>
    uniformAt(seed, { choice: 0, step: 0, stream, position: position + at });
  for (let begin = 0; begin < x0.length; begin += blockSize) {
    const block = Array.from({ length: blockSize }, (_, i) => begin + i).filter((at) => at > 0);
    const count = 1 + Math.floor(draw("time", begin) * block.length);
    const order = block.toSorted((a, b) => draw("order", a) - draw("order", b));
    for (const at of order.slice(0, count)) {
      xt[at] = maskToken;
      weights[at] = block.length / count;
    }
  }
  return { x0, xt, weights };
}

/** The bound on -ln p of each window, nats, by passes as the sampler makes them. */
export async function nelboOf(
  gpu: Gpu,
  network: Bd3lm,
  windows: readonly NoisyWindow[],
): Promise<Float64Array> {
  const nelbo = new Float64Array(windows.length);
  const { modelLength } = network.config;
  using harness = new ForwardHarness(gpu, network, { slots: SLOTS, positions: modelLength });
  for (let first = 0; first < windows.length; first += SLOTS) {
    const group = windows.slice(first, first + SLOTS);
    await addLosses(gpu, harness, { windows: group, nelbo: nelbo.subarray(first) });
  }
  return nelbo;
}

/** A masked token of a pass. */
interface MaskedToken {
  /** Of the pass. */
  readonly row: number;
  /** Its window among those of the pass. */
  readonly slot: number;
  /** In its window. */
  readonly position: number;
}

/** Adds the weighted losses of all masked tokens to the sums of their windows. */
async function addLosses(
  gpu: Gpu,
  harness: ForwardHarness,
  { windows, nelbo }: { windows: readonly NoisyWindow[]; nelbo: Float64Array },
): Promise<void> {
  const { blockSize, modelLength, vocabSize, maskToken } = harness.network.config;
  const passes = windows.map((each, slot) =>
    blockPasses(each, { blockSize, window: modelLength, slot })
  );
  // The last one only commits the last block, which nothing looks at.
  for (let i = 0; i < passes[0]!.length - 1; i++) {
    const groups = passes.flatMap((ofWindow) => ofWindow[i]!);
    const masked = maskedTokens(groups, maskToken);
    const { logits, stride } = await maskedLogits(gpu, harness, { groups, masked });
    for (const [head, { slot, position }] of masked.entries()) {
      const { x0, weights } = windows[slot]!;
      const row = logits.subarray(head * stride, head * stride + vocabSize);
      row[maskToken] = -Infinity;
      nelbo[slot]! -= weights[position]! * logProbability(row, x0[position]!);
    }
  }
}

function maskedTokens(groups: readonly PlacedRows[], maskToken: number): MaskedToken[] {
  let row = 0;
  return groups.flatMap(({ tokens, position, slot = 0 }) =>
    Array.from(tokens, (token, i) => ({ token, row: row++, slot, position: position + i }))
      .filter(({ token }) => token === maskToken)
  );
}

/** Raw logits of the masked rows: one after the other, each in `stride` values. */
async function maskedLogits(
  gpu: Gpu,
  harness: ForwardHarness,
  { groups, masked }: {
    readonly groups: readonly PlacedRows[];
    readonly masked: readonly MaskedToken[];
  },
): Promise<{ logits: Float32Array; stride: number }> {
  const { network } = harness;
  const inputs = { ...harness.inputs(groups), headBound: masked.length };
  const heads = new Uint32Array(masked.length * HEAD_WORDS);
  masked.forEach(({ row }, i) => writeHead(heads, i * HEAD_WORDS, { row, offset: 0, ...NO_DRAW }));
  // The harness has put a head for every row there.
  gpu.write(inputs.heads, heads);
  gpu.write(inputs.counts, Uint32Array.of(inputs.bound, masked.length));
  const pass = gpu.pass();
  using normalized = network.forward(pass, inputs)!; // Every block has masks.
  const part = { counts: inputs.counts, skip: 0, rows: masked.length };
  using logits = network.logits(pass, normalized, part);
  pass.submit();
  return { logits: new Float32Array(await gpu.read(logits)), stride: logits.shape[1]! };
}

/** ln of the softmax of `logits` at `token`, in float64. */
function logProbability(logits: Float32Array, token: number): number {
  let highest = -Infinity;
  for (const each of logits) highest = Math.max(highest, each);
  let sum = 0;
  for (const each of logits) sum += Math.exp(each - highest);
  return logits[token]! - highest - Math.log(sum);
}
