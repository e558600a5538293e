import { assert, assertEquals, assertThrows } from "@std/assert";
import { paddedHeadSize, qkNorm, rotaryTables } from "../../kernels/mod.ts";
import type { DeviceClass, Gpu } from "../../src/gpu/mod.ts";
import * as reference from "../reference/forward.ts";
import { assertClose, gpuTest, noise, readFloats, upload } from "../support/gpu.ts";
import { HostCache, pair, readStore } from "./host_cache.ts";
import {
  deviceClassesOf,
  fillNextScratch,
  pad,
  passOf,
  rounded,
  uploadCounts,
  uploadRows,
} from "./tables.ts";

const BASE = 1_000_000;
const EPSILON = 1e-6;
/** Stands in every place of the cache and of q before. */
const UNTOUCHED = 7;
/** Enough pages that no two of the positions meet. */
const RING = [9, 0, 3, 1, 8, 5, 2, 7, 6];
const POSITIONS = [0, 31, 1024, 5000, 17];

interface Normed {
  /** Of the cache. */
  readonly heads: number;
  /** Heads of q for each of them. */
  readonly group: number;
  readonly headSize: number;
  readonly format?: "f32" | "f16";
  readonly positions?: readonly number[];
  readonly live?: number;
}

/** q, k and v of every row, head by head: noise that depends on the position alone. */
function vectorsOf({ heads, group, headSize }: Normed, position: number) {
  return [heads * group, heads, heads].map((count, part) =>
    noise(count * headSize, 3 * position + part)
  ) as [Float32Array, Float32Array, Float32Array]; // map() forgets the length.
}

/** Of q's heads and of k's. */
function gainsOf(headSize: number): [Float32Array, Float32Array] {
  return [noise(headSize, 91).map((each) => each + 1.5), noise(headSize, 92)];
}

/** What becomes of the live rows in float64: q, and the cache behind them. */
function expectNormed(normed: Normed) {
  const { heads, headSize, format = "f32", positions = POSITIONS } = normed;
  const headWidth = paddedHeadSize(headSize);
  const shape = { slots: [RING], pageTokens: 16, heads, headWidth, format };
  const cache = new HostCache(shape, UNTOUCHED);
  const q = positions.slice(0, normed.live ?? positions.length).flatMap((position) => {
    const tables = reference.rotaryTables([position], { headSize, base: BASE });
    const [q, k, v] = vectorsOf(normed, position);
    const [rotatedQ, rotatedK] = [q, k].map((each, i) => {
      const normal = reference.rmsNorm(each, { gain: gainsOf(headSize)[i]!, epsilon: EPSILON });
      return pair(reference.applyRotary(normal, { ...tables, headSize }), headSize);
    });
    cache.put({ slot: 0, position }, rotatedK!, v);
    return [...rotatedQ!];
  });
  return { q: pad(q, headSize, headWidth), cache, shape };
}

/** Runs the kernel: q, and the keys and values of the cache. */
async function run(gpu: Gpu, normed: Normed & { readonly deviceClass: DeviceClass }) {
  const { headSize, positions = POSITIONS, live = positions.length } = normed;
  const headWidth = paddedHeadSize(headSize);
  const columns = positions.map((position) => {
    const [q, k, v] = vectorsOf(normed, position);
    return [pair(q, headSize), pair(k, headSize), v].flatMap((part) => [
      ...pad(part, headSize, headWidth),
    ]);
  });
  const gains = gainsOf(headSize).map((gain) => pad(pair(gain, headSize), headSize, headWidth));
  using rotary = rotaryTables(gpu, { headSize, base: BASE });
  using cache = new HostCache(expectNormed(normed).shape, UNTOUCHED).upload(gpu);
  using rows = uploadRows(gpu, positions.map((position) => ({ slot: 0, position })));
  using counts = uploadCounts(gpu, { rows: live, heads: 99 });
  using x = upload(gpu, [positions.length, columns[0]!.length], columns.flat());
  using gain = upload(gpu, [2 * headWidth], gains.flatMap((each) => [...each]));
  const pass = passOf(gpu, normed.deviceClass);
  const shape = [positions.length, normed.heads * normed.group * headWidth];
  const id = fillNextScratch(gpu, pass, { shape, value: UNTOUCHED });
  const operands = { x, counts, gain, headSize, epsilon: EPSILON, rows, cache, rotary };
  using q = qkNorm(pass, operands);
  assertEquals([q.id, q.shape], [id, shape]);
  pass.submit();
  return {
    q: await readFloats(gpu, q),
    k: await readStore(gpu, cache.k),
    v: await readStore(gpu, cache.v),
  };
}

async function check(gpu: Gpu, normed: Normed): Promise<void> {
  const { format = "f32" } = normed;
  const expected = expectNormed(normed);
  for (const deviceClass of deviceClassesOf(gpu)) {
    const { q, k, v } = await run(gpu, { ...normed, deviceClass });
    const written = expected.q.length;
    assertClose(q.subarray(0, written), expected.q, {}, `q, ${deviceClass}`);
    assert(q.subarray(written).every((value) => value === UNTOUCHED), "q beyond");
    // A half is off by 2^-11 of its power of two at most.
    const tolerance = format === "f16" ? 2 ** -11 : 1e-5;
    assertClose(k, expected.cache.k, { tolerance }, `k, ${deviceClass}`);
    assertEquals(v, rounded(expected.cache.v, format), deviceClass);
  }
}

for (
  const [heads, group, headSize] of [[1, 1, 2], [2, 2, 16], [1, 4, 12], [3, 1, 64], [
    2,
    4,
    128,
  ]] as const
) {
  for (const format of ["f32", "f16"] as const) {
    gpuTest(
      `qkNorm() gives ${heads} heads of ${headSize}, ${group} of q for each, in ${format}`,
      (gpu) => check(gpu, { heads, group, headSize, format }),
    );
  }
}

gpuTest("qkNorm() stores nothing for rows beyond the live ones", async (gpu) => {
  for (const live of [0, 2]) await check(gpu, { heads: 2, group: 2, headSize: 12, live });
});

gpuTest("qkNorm() gives a row the same bits in any place", async (gpu) => {
  const shape = { heads: 2, group: 3, headSize: 12 };
  for (const deviceClass of deviceClassesOf(gpu)) {
    const all = await run(gpu, { ...shape, deviceClass, positions: [4, 9, 30, 12, 8] });
    const alone = await run(gpu, { ...shape, deviceClass, positions: [8] });
    assertEquals(all.q.subarray(-alone.q.length), alone.q, deviceClass);
    const isWritten = (value: number) => value !== UNTOUCHED;
    const found = alone.k.filter(isWritten);
    assert(found.length > 0);
    assertEquals(all.k.filter((_, at) => isWritten(alone.k[at]!)), found, deviceClass);
  }
});

gpuTest("qkNorm() throws when columns or gains are not those of the heads", (gpu) => {
  using rotary = rotaryTables(gpu, { headSize: 32, base: BASE });
  const shape = { slots: [[0]], pageTokens: 16, heads: 2, headWidth: 32 };
  using cache = new HostCache(shape, 0).upload(gpu);
  using rows = uploadRows(gpu, [{}]);
  using counts = uploadCounts(gpu, { rows: 1 });
  using x = gpu.tensor("x", [1, 224]);
  using right = gpu.tensor("x", [1, 256]);
  using gain = gpu.tensor("gain", [64]);
  using short = gpu.tensor("gain", [32]);
  const operands = { counts, gain, headSize: 32, epsilon: EPSILON, rows, cache, rotary };
  assertThrows(() => qkNorm(gpu.pass(), { ...operands, x }), TypeError, "take 224 columns");
  const wrong = { ...operands, x: right, gain: short };
  assertThrows(() => qkNorm(gpu.pass(), wrong), TypeError, '"gain"');
});
