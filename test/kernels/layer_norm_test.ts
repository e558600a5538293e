import { assert, assertEquals, assertThrows } from "@std/assert";
import { layerNorm } from "../../kernels/layer_norm.ts";
import { type DeviceClass, type Gpu, Pass } from "../../src/gpu/mod.ts";
import * as reference from "../reference/forward.ts";
import { assertClose, gpuTest, noise, readFloats, upload } from "../support/gpu.ts";
import {
  deviceClassesOf,
  disguise,
  fillNextScratch,
  pad,
  uploadCounts,
  uploadHeads,
  uploadRows,
} from "./tables.ts";

const EPSILON = 1e-5;
const SHIFT = 32;

interface Norm {
  /** [rows, features], or [heads, features]. */
  readonly x: Float32Array;
  readonly features: number;
  /** Condition of every row of the pass. */
  readonly conditions: readonly number[];
  /** Rows of the modulation. */
  readonly levels: number;
  readonly epsilon?: number;
  /** The kind of device that the kernel is chosen for; its own where left out. */
  readonly deviceClass?: DeviceClass;
  /** Live rows or heads; all where left out. */
  readonly live?: number;
  /** Rows of the pass that the rows of `x` are, where they are those of heads. */
  readonly heads?: readonly number[];
}

interface Normalized {
  /** [live, features]. */
  readonly actual: Float32Array;
  readonly expected: readonly number[];
  /** The padding of the live rows. */
  readonly padding: Float32Array;
  /** What followed the live rows: full of 7 before. */
  readonly beyond: Float32Array;
}

/** Runs the kernel and the reference. */
async function normalize(gpu: Gpu, norm: Norm): Promise<Normalized> {
  const { x, features, conditions, levels, epsilon = EPSILON, heads } = norm;
  const width = Math.ceil(features / 32) * 32;
  const bound = heads?.length ?? conditions.length;
  const live = norm.live ?? bound;
  const modulation = makeModulation(norm, width);
  using rows = uploadRows(gpu, conditions.map((condition) => ({ condition })));
  // The count of the other kind must not matter.
  using counts = uploadCounts(gpu, heads ? { rows: 99, heads: live } : { rows: live, heads: 99 });
  using padded = upload(gpu, [bound, width], pad(x, features, width));
  using gain = upload(gpu, [width], pad(makeGain(features), features, width));
  using modulations = upload(gpu, [levels, modulation.length / levels], modulation);
  using table = heads && uploadHeads(gpu, heads.map((row) => ({ row })));
  const pass = norm.deviceClass ? new Pass(disguise(gpu, norm)) : gpu.pass();
  const id = fillNextScratch(gpu, pass, { shape: [bound, width], value: 7 });
  const places = { shift: SHIFT, scale: SHIFT + width, features, epsilon };
  const operands = { x: padded, rows, counts, gain, modulation: modulations, ...places };
  using y = layerNorm(pass, { ...operands, ...(table && { heads: table }) });
  assertEquals(y.id, id);
  pass.submit();
  const all = await readFloats(gpu, y);
  const written = all.subarray(0, live * width);
  const sources = heads ?? conditions.map((_, row) => row);
  return {
    actual: written.filter((_, i) => i % width < features),
    expected: sources.slice(0, live).flatMap((source, row) =>
      expectedRow(row, conditions[source]!, norm)
    ),
    padding: written.filter((_, i) => i % width >= features),
    beyond: all.subarray(live * width),
  };
}

function expectedRow(row: number, condition: number, norm: Norm): number[] {
  const { x, features, levels, epsilon = EPSILON } = norm;
  const level = levels === 1 ? 0 : condition;
  const ofLevel = (values: Float32Array) => values.subarray(level * features).slice(0, features);
  const { shift, scale } = makeLevels(norm);
  const source = x.subarray(row * features, (row + 1) * features);
  const normal = reference.layerNorm(source, { width: features, epsilon });
  const gained = reference.modulate(normal, { gain: makeGain(features) });
  const gain = Float64Array.from(ofLevel(scale), (each) => 1 + each);
  return [...reference.modulate(gained, { gain, shift: ofLevel(shift) })];
}

function makeGain(features: number): Float32Array {
  return noise(features, 2).map((each) => each + 1.5);
}

/** [levels, features] each. */
function makeLevels({ features, levels }: Norm): { shift: Float32Array; scale: Float32Array } {
  return { shift: noise(levels * features, 3), scale: noise(levels * features, 4) };
}

/** Per level: 32 values that belong to nobody, the shift, the scale, both padded. */
function makeModulation(norm: Norm, width: number): Float32Array {
  const { features, levels } = norm;
  const { shift, scale } = makeLevels(norm);
  const stride = SHIFT + 2 * width;
  const modulation = new Float32Array(levels * stride);
  for (let level = 0; level < levels; level++) {
    const [row, at] = [level * features, level * stride];
    modulation.fill(99, at, at + SHIFT);
    modulation.set(shift.subarray(row, row + features), at + SHIFT);
    modulation.set(scale.subarray(row, row + features), at + SHIFT + width);
  }
  return modulation;
}

// One column, a ragged tail, exactly 32 lanes of 8 columns, one column more, some rounds and a rest.
for (const [rows, features] of [[1, 1], [3, 5], [2, 256], [9, 257], [33, 800]] as const) {
  gpuTest(`layerNorm() matches the reference for [${rows}, ${features}]`, async (gpu) => {
    const x = noise(rows * features).map((each) => 4 * each + 3);
    const conditions = Array.from({ length: rows }, (_, i) => (2 * i + 1) % 3);
    for (const deviceClass of deviceClassesOf(gpu)) {
      const norm = await normalize(gpu, { x, features, conditions, levels: 3, deviceClass });
      assertClose(norm.actual, norm.expected, {}, deviceClass);
      assert(norm.padding.every((value) => value === 0), "padding");
    }
  });
}

gpuTest("layerNorm() applies one row of modulation to all conditions", async (gpu) => {
  const x = noise(4 * 5);
  const norm = await normalize(gpu, { x, features: 5, conditions: [2, 0, 1, 9], levels: 1 });
  assertClose(norm.actual, norm.expected);
});

gpuTest("layerNorm() keeps small deviations from a large mean", async (gpu) => {
  // Whole numbers around 4,096: exact in f32, so that only a bad formula for the variance shows.
  const x = noise(3 * 129).map((each) => 4096 + Math.round(each * 4));
  const norm = await normalize(gpu, { x, features: 129, conditions: [0, 1, 2], levels: 3 });
  // The mean of numbers near 4,096 is rounded to 2^-12.
  assertClose(norm.actual, norm.expected, { tolerance: 2e-4 });
});

gpuTest("layerNorm() adds epsilon to the variance", async (gpu) => {
  const x = noise(2 * 5).map((each) => each * 1e-3);
  const options = { x, features: 5, conditions: [0, 1], levels: 3, epsilon: 0.25 };
  const norm = await normalize(gpu, options);
  assertClose(norm.actual, norm.expected);
});

gpuTest("layerNorm() gives rows of heads the conditions of theirs in the pass", async (gpu) => {
  const x = noise(4 * 129);
  const conditions = [2, 0, 1, 2, 0, 1];
  const heads = [4, 1, 1, 5];
  const norm = await normalize(gpu, { x, features: 129, conditions, levels: 3, heads });
  assertClose(norm.actual, norm.expected);
  assert(norm.padding.every((value) => value === 0), "padding");
});

for (const heads of [undefined, [3, 0, 2, 1]]) {
  const what = heads ? "heads" : "rows";
  gpuTest(`layerNorm() leaves what lies beyond the live ${what} untouched`, async (gpu) => {
    for (const live of [0, 3]) {
      const options = { x: noise(4 * 5), features: 5, conditions: [0, 1, 2, 0], levels: 3, live };
      const norm = await normalize(gpu, { ...options, ...(heads && { heads }) });
      assertClose(norm.actual, norm.expected);
      assert(norm.beyond.length > 0 && norm.beyond.every((value) => value === 7));
    }
  });
}

gpuTest("layerNorm() gives a row the same bits in any place", async (gpu) => {
  const x = noise(9 * 129);
  const conditions = Array(9).fill(1);
  for (const deviceClass of deviceClassesOf(gpu)) {
    const options = { features: 129, levels: 3, deviceClass };
    const all = await normalize(gpu, { ...options, x, conditions });
    const last = await normalize(gpu, { ...options, x: x.subarray(8 * 129), conditions: [1] });
    assertEquals(last.actual, all.actual.slice(8 * 129), deviceClass);
  }
});

gpuTest("layerNorm() throws when the gain has another width", (gpu) => {
  using x = gpu.tensor("x", [2, 32]);
  using gain = gpu.tensor("gain", [64]);
  using modulation = gpu.tensor("modulation", [1, 64]);
  using rows = uploadRows(gpu, [{}, {}]);
  using counts = uploadCounts(gpu, { rows: 2 });
  const operands = { x, rows, counts, gain, modulation, shift: 0, scale: 32, features: 32 };
  assertThrows(() => layerNorm(gpu.pass(), { ...operands, epsilon: EPSILON }), TypeError, `"gain"`);
});
