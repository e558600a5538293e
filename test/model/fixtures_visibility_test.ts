import { basename, join } from "@std/path";
import { assertEquals } from "@std/assert";
import { HEAD_WORDS, plan, ROW_WORDS } from "../../kernels/mod.ts";
import { type Gpu, Readback } from "../../src/gpu/mod.ts";
import type { Bd3lm } from "../../src/model/bd3lm.ts";
import { BurstTables } from "../../src/model/burst_tables.ts";
import { packSequence, SEQUENCE_WORDS } from "../../src/model/sequence_state.ts";
import {
  commonFolder,
  fixtureFolders,
  integersOf,
  readFixture,
  readJson,
  tensorOf,
} from "../support/fixtures.ts";
import { BD3LM_RULES } from "../support/decoding_rules.ts";
import { ForwardHarness, loadNetwork } from "../support/forward.ts";
import { gpuTest } from "../support/gpu.ts";
import { sequenceWord } from "../support/sequence_words.ts";

const MASK = 7;

interface Sizes {
  readonly blocks: number;
  readonly blockSize: number;
  readonly window: number;
}

/** What a row sees of its own sequence: `first` … `end` - 1. */
interface Sight {
  readonly first: number;
  readonly end: number;
}

/** What the rows of every position see, by what they are for. */
interface Sights {
  readonly prompt: readonly Sight[];
  readonly commit: readonly Sight[];
  readonly denoise: readonly Sight[];
}

/** Sequences by slot: the first at block 0, the next ones with a clean block 0, 1, …. */
function packSequences({ blocks, blockSize, window }: Sizes): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array((blocks + 1) * SEQUENCE_WORDS);
  const fixed = { prompt: [], maxTokens: (blocks + 1) * blockSize, blockSize, stopTokens: [] };
  const draw = { temperature: 1, topP: 1, topK: 0, seed: 0, choice: 0 };
  const strategy = { strategy: "low_confidence_static" } as const;
  for (let slot = 0; slot <= blocks; slot++) {
    const at = slot * SEQUENCE_WORDS;
    words.set(packSequence({ ...fixed, ...draw, strategy }, { window, rules: BD3LM_RULES }), at);
    if (slot === 0) continue;
    words[at + sequenceWord("start")] = (slot - 1) * blockSize;
    words[at + sequenceWord("masked")] = 0;
  }
  return words;
}

/** Rows of one pass as the product plans them: every block denoised, committed, and prefilled. */
async function planRows(gpu: Gpu, sizes: Sizes): Promise<Uint32Array> {
  const { blocks, blockSize, window } = sizes;
  const slots = blocks + 1;
  const promptRows = blocks * blockSize;
  const rowsAtMost = 2 * slots * blockSize + promptRows;
  const limits = { slots, pages: 1, pageTokens: 1, rows: rowsAtMost, passes: 1, promptRows };
  const readback = await Readback.open(gpu, BurstTables.journalBytes(limits));
  using tables = new BurstTables(gpu, { limits, readback, maskToken: MASK });
  const tokens = Array<number>(promptRows).fill(0);
  const [segment = 0] = tables.fill([{
    lanes: Array.from({ length: slots }, (_, slot) => slot),
    prompts: [{ slot: 0, position: 0, tokens, blockSize }],
  }], { optionsOf: () => ({ blockSize }), window });
  tables.upload();
  const words = (name: string, count: number) => gpu.tensor(name, [count], { dtype: "u32" });
  using sequences = words("sequences", slots * SEQUENCE_WORDS);
  gpu.write(sequences, packSequences(sizes));
  using kept = words("tokens", slots * 2 * blockSize);
  gpu.write(kept, new Uint32Array(kept.length).fill(MASK));
  using rows = words("rows", rowsAtMost * ROW_WORDS);
  using heads = words("heads", rowsAtMost * HEAD_WORDS);
  using counts = words("counts", 2);
  using sigma = gpu.tensor("sigma", [2 * slots + 1]);
  const pass = gpu.pass();
  const state = { burst: tables.burst, sequences, tokens: kept, rows, heads, counts, sigma };
  const model = { maxBlock: blockSize, maskToken: MASK, isScheduled: false, isShifted: false };
  plan(pass, { ...state, segment, lanes: slots, ...model });
  pass.submit();
  const [live = 0] = new Uint32Array(await gpu.read(counts));
  return new Uint32Array(await gpu.read(rows)).subarray(0, live * ROW_WORDS);
}

/** What the product lets the rows of `blocks` blocks see. */
async function productSights(gpu: Gpu, sizes: Sizes): Promise<Sights> {
  const { blocks, blockSize } = sizes;
  const sights: Record<keyof Sights, Sight[]> = { prompt: [], commit: [], denoise: [] };
  const words = await planRows(gpu, sizes);
  for (let at = 0; at < words.length; at += ROW_WORDS) {
    const [, position = 0, , first = 0, end = 0, condition = 0] = words.subarray(at);
    // Noise levels: two a lane, for the commit and for the step, then one for prompts.
    const isPrompt = condition === 2 * (blocks + 1);
    const kind = isPrompt ? "prompt" : condition % 2 === 0 ? "commit" : "denoise";
    if (position < blocks * blockSize) sights[kind][position] = { first, end };
  }
  return sights;
}

/**
 * The mask over [x_t, x_0] that serving amounts to: while a noisy block runs, the cache holds the
 * clean blocks before it, and the block itself in its own place.
 */
function twoStreamRows({ prompt, commit, denoise }: Sights, blockSize: number): string[] {
  const length = denoise.length;
  const isSeen = ({ first, end }: Sight, key: number) => first <= key && key < end;
  const rowOf = (sees: (key: number, isNoisy: boolean) => boolean) =>
    Array.from({ length: 2 * length }, (_, key) => sees(key % length, key < length) ? "1" : "0")
      .join("");
  const blockOf = (position: number) => Math.floor(position / blockSize);
  const noisy = denoise.map((sight, query) =>
    rowOf((key, isNoisy) => isSeen(sight, key) && isNoisy === (blockOf(key) === blockOf(query)))
  );
  const clean = prompt.map((sight) => rowOf((key, isNoisy) => !isNoisy && isSeen(sight, key)));
  assertEquals(commit, prompt, "a committed block sees what a prefilled one sees");
  return [...noisy, ...clean];
}

/** What rows see in the passes of {@linkcode ForwardHarness}. */
async function harnessSights(gpu: Gpu, network: Bd3lm, length: number): Promise<Sight[]> {
  const { blockSize, modelLength: window } = network.config;
  using harness = new ForwardHarness(gpu, network, { positions: length });
  const tokens = Array<number>(length).fill(0);
  const { rows } = harness.inputs([{ tokens, position: 0, blockSize, window }]);
  const words = new Uint32Array(await gpu.read(rows));
  return tokens.map((_, row) => {
    const [first = 0, end = 0] = words.subarray(row * ROW_WORDS + 3);
    return { first, end };
  });
}

interface MaskCase {
  readonly n: number;
  readonly block_size: number;
  readonly rows: readonly string[];
}

for (const { n, block_size, rows } of readJson(join(commonFolder(), "mask.json")) as MaskCase[]) {
  const blockSize = block_size;
  gpuTest(`rows of ${n} tokens in blocks of ${blockSize} see what is recorded`, async (gpu) => {
    const sights = await productSights(gpu, { blocks: n / blockSize, blockSize, window: n });
    assertEquals(twoStreamRows(sights, blockSize), rows);
  });
}

gpuTest(
  "rows see what is recorded in qwen-common, whatever the model sees at most",
  async (gpu) => {
    const { n, block_size: blockSize, ...masks } = readJson(
      join(commonFolder("qwen-common"), "mask.json"),
    ) as {
      readonly n: number;
      readonly block_size: number;
      readonly two_stream: readonly (readonly number[])[];
      readonly block_causal: readonly (readonly number[])[];
    };
    for (const window of [n, 32_768]) {
      const sights = await productSights(gpu, { blocks: n / blockSize, blockSize, window });
      assertEquals(
        twoStreamRows(sights, blockSize),
        masks.two_stream.map((row) => row.join("")),
      );
      const prefill = sights.prompt.map(({ first, end }) =>
        Array.from({ length: n }, (_, key) => Number(first <= key && key < end))
      );
      assertEquals(prefill, masks.block_causal.map((row) => [...row]));
    }
  },
);

for (const folder of fixtureFolders()) {
  const name = basename(folder);

  gpuTest(`rows of ${name} see what its attention mask lets them`, async (gpu) => {
    const mask = tensorOf(readFixture(join(folder, "train.safetensors")), "attention_mask");
    using network = loadNetwork(gpu, folder, { format: "f32" });
    const { blockSize, modelLength: window } = network.config;
    const blocks = mask.shape[0]! / 2 / blockSize;
    const sights = await productSights(gpu, { blocks, blockSize, window });
    assertEquals(twoStreamRows(sights, blockSize).join(""), [...mask.data].join(""));
  });

  gpuTest(`rows of ${name} see as much as the recorded cache holds`, async (gpu) => {
    using network = loadNetwork(gpu, folder, { format: "f32" });
    const { blockSize, modelLength: window } = network.config;
    const sliding = readFixture(join(folder, "sliding.safetensors"));
    const cached = integersOf(sliding, "cache_idx_before_block");
    const { denoise, prompt, commit } = await productSights(gpu, {
      blocks: cached.length,
      blockSize,
      window,
    });
    const seen = cached.map((_, block) => block * blockSize - denoise[block * blockSize]!.first);
    assertEquals(seen, cached);
    assertEquals([prompt, commit], [denoise, denoise]);
    // What the tests of the network run on.
    assertEquals(await harnessSights(gpu, network, denoise.length), denoise);
  });
}
