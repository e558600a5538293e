import { HEAD_WORDS, PROPOSAL_WORDS, propose, writeHead } from "../../kernels/mod.ts";
import { Gpu } from "../../src/gpu/mod.ts";
import { noise } from "../support/noise.ts";
import { cpuSeconds, median } from "./cpu.ts";
import type { Figures } from "./figures.ts";

const ROWS = [
  { rows: 16, vocabulary: 50_258 },
  { rows: 1, vocabulary: 4096 },
] as const;
const FILTERS = {
  "no filter": { topP: 1, topK: 0 },
  "top-p 0.9": { topP: 0.9, topK: 0 },
  "top-k 50": { topP: 1, topK: 50 },
} as const;
// A standard normal is what an untrained network gives; the peaked rows put about two thirds on
// one token, as a trained one does.
const SHAPES = { Gaussian: gaussian, peaked } as const;

/** Filters and draw alone, in milliseconds of both cores of a machine with two. */
export async function benchSampler(): Promise<Figures> {
  using gpu = await Gpu.open();
  const figures: Figures = {};
  for (const { rows, vocabulary } of ROWS) {
    for (const [shape, make] of Object.entries(SHAPES)) {
      for (const [name, filter] of Object.entries(FILTERS)) {
        const label = `propose ${rows} x ${vocabulary}, ${shape}, ${name}`;
        const logits = make(rows, vocabulary);
        const value = await milliseconds(gpu, logits, { rows, vocabulary, ...filter });
        figures[label] = { value, unit: "ms on two cores" };
      }
    }
  }
  return figures;
}

function gaussian(rows: number, vocabulary: number): Float32Array<ArrayBuffer> {
  const columns = Math.ceil(vocabulary / 32) * 32;
  const uniforms = noise(2 * rows * columns, 7);
  return Float32Array.from({ length: rows * columns }, (_, i) => {
    const radius = Math.sqrt(-2 * Math.log((uniforms[2 * i]! + 1) / 2 + 1e-10));
    return radius * Math.cos(Math.PI * uniforms[2 * i + 1]!);
  });
}

function peaked(rows: number, vocabulary: number): Float32Array<ArrayBuffer> {
  const logits = gaussian(rows, vocabulary).map((value) => 2 * value);
  const columns = logits.length / rows;
  for (let row = 0; row < rows; row++) {
    const weights = logits.subarray(row * columns, row * columns + vocabulary).map(Math.exp);
    const total = weights.reduce((sum, each) => sum + each, 0);
    // Falling by 1.5 nats each from a token as heavy as twice the rest together.
    for (let rank = 0; rank < 8; rank++) {
      const id = (rank * 7919 + row * 104_729) % (vocabulary - 1);
      logits[row * columns + id] = Math.log(2 * total) - 1.5 * rank;
    }
  }
  return logits;
}

async function milliseconds(
  gpu: Gpu,
  data: Float32Array<ArrayBuffer>,
  { rows, vocabulary, topP, topK }: {
    rows: number;
    vocabulary: number;
    topP: number;
    topK: number;
  },
): Promise<number> {
  const words = new Uint32Array(rows * HEAD_WORDS);
  for (let row = 0; row < rows; row++) {
    const uniform = (row + 0.5) / rows;
    writeHead(words, row * HEAD_WORDS, { row, offset: row, temperature: 1, topP, topK, uniform });
  }
  using logits = gpu.tensor("logits", [rows, data.length / rows], { data });
  using heads = gpu.tensor("heads", [words.length], { dtype: "u32", data: words });
  using counts = gpu.tensor("counts", [2], { dtype: "u32", data: Uint32Array.of(rows, rows) });
  using proposals = gpu.tensor("proposals", [rows * PROPOSAL_WORDS], { dtype: "u32" });
  const operands = { logits, heads, counts, proposals, firstHead: 0 };
  const model = { vocabulary, maskToken: vocabulary - 1, keepsCrossing: false };
  const run = async (times: number) => {
    const pass = gpu.pass();
    for (let i = 0; i < times; i++) propose(pass, { ...operands, ...model });
    pass.submit();
    await gpu.read(counts);
  };
  // About as much work for each figure.
  const times = Math.ceil(2e7 / (rows * vocabulary));
  await run(1);
  const values: number[] = [];
  for (let round = 0; round < 5; round++) {
    const before = cpuSeconds();
    await run(times);
    values.push(1000 * (cpuSeconds() - before) / 2 / times);
  }
  return median(values);
}
