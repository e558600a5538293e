import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  MAX_POSITIONS,
  ropeStore,
  type RotaryTables,
  rotaryTables,
  type Row,
} from "../../kernels/mod.ts";
import type { Gpu } from "../../src/gpu/mod.ts";
import * as reference from "../reference/forward.ts";
import { assertClose, gpuTest, noise, readFloats, upload } from "../support/gpu.ts";
import { HostCache, type HostCacheShape } from "./host_cache.ts";
import { fillNextScratch, pad, uploadCounts, uploadRows } from "./tables.ts";

const BASE = 10_000;
/** Stands in every place of the cache and of q before. */
const UNTOUCHED = 7;

interface Store extends HostCacheShape {
  /** Components of a head without padding. */
  readonly headSize: number;
  readonly places: readonly Pick<Row, "slot" | "position">[];
  /** Live rows; all where left out. */
  readonly live?: number;
}

/** Stores rows of noise and checks q, and every place of the cache, written or not. */
async function checkStore(gpu: Gpu, store: Store): Promise<void> {
  const { heads, headSize, headWidth, places, live = places.length } = store;
  using rotary = rotaryTables(gpu, { headSize, base: BASE });
  const parts = [2, 3, 4].map((seed) => noise(places.length * heads * headSize, seed));
  const { qkv, expected, rotated } = expectStore(store, parts);
  using operand = upload(gpu, [places.length, 3 * heads * headWidth], qkv);
  using cache = new HostCache(store, UNTOUCHED).upload(gpu);
  using rows = uploadRows(gpu, places);
  using counts = uploadCounts(gpu, { rows: live });
  const pass = gpu.pass();
  const shape = [places.length, heads * headWidth];
  const id = fillNextScratch(gpu, pass, { shape, value: UNTOUCHED });
  using q = ropeStore(pass, { qkv: operand, rows, counts, cache, rotary });
  assertEquals(q.id, id);
  pass.submit();
  const [actual, k, v] = await Promise.all([q, cache.k, cache.v].map((t) => readFloats(gpu, t)));
  const written = live * heads * headWidth;
  assertClose(actual!.subarray(0, written), pad(rotated, headSize, headWidth), {}, "q");
  assert(actual!.subarray(written).every((value) => value === UNTOUCHED), "q beyond");
  assertClose(k!, expected.k, {}, "k");
  assertEquals(v, expected.v);
}

/** The operand, the cache after it, and live rows of q; `parts` are q, k and v without padding. */
function expectStore(store: Store, parts: readonly Float32Array[]) {
  const { heads, headSize, headWidth, places, live = places.length } = store;
  const width = heads * headSize;
  const ofRow = (values: ArrayLike<number>, row: number) =>
    Array.from(values).slice(row * width, (row + 1) * width);
  const qkv = places.flatMap((_, row) =>
    parts.flatMap((part) => [...pad(ofRow(part, row), headSize, headWidth)])
  );
  const tables = reference.rotaryTables(places.map(({ position }) => position), {
    headSize,
    base: BASE,
  });
  const [q, k] = parts.map((part) => reference.applyRotary(part, { ...tables, headSize }));
  const expected = new HostCache(store, UNTOUCHED);
  places.slice(0, live).forEach((at, row) => {
    expected.put(at, ofRow(k!, row), ofRow(parts[2]!, row));
  });
  return { qkv, expected, rotated: q!.subarray(0, live * width) };
}

// Where the tables begin, meet and end, and where an f32 angle would be off.
const POSITIONS = [0, 1, 31, 32, 1023, 1024, 5000, 1_000_000, MAX_POSITIONS - 1];
/** Enough pages that no two of the positions meet. */
const RING = [9, 0, 3, 1, 8, 5, 2, 7, 6];

for (const [heads, headSize, headWidth] of [[1, 2, 16], [3, 12, 16], [2, 10, 16], [2, 64, 64]]) {
  const size = `${heads} heads of ${headSize} in ${headWidth}`;
  gpuTest(`ropeStore() rotates ${size} at all positions`, async (gpu) => {
    const places = POSITIONS.map((position) => ({ slot: 0, position }));
    const shape = { slots: [RING], pageTokens: 16, heads: heads!, headWidth: headWidth! };
    await checkStore(gpu, { ...shape, headSize: headSize!, places });
  });
}

gpuTest("ropeStore() goes round the pages of every slot", async (gpu) => {
  const slots = [[4, 0], [2], [1, 3, 5]];
  // Position 40 of slot 0 lies in its first page again, 31 of slot 2 in its second.
  const places = [
    { slot: 0, position: 40 },
    { slot: 2, position: 31 },
    { slot: 1, position: 130 },
    { slot: 0, position: 31 },
    { slot: 2, position: 5000 },
  ];
  const shape = { slots, pageTokens: 16, heads: 2, headWidth: 16 };
  await checkStore(gpu, { ...shape, headSize: 16, places });
});

gpuTest("ropeStore() leaves rows beyond the live ones alone", async (gpu) => {
  for (const live of [0, 2]) {
    const places = [8, 9, 10, 11].map((position) => ({ slot: 0, position }));
    const shape = { slots: [[1]], pageTokens: 16, heads: 2, headWidth: 16 };
    await checkStore(gpu, { ...shape, headSize: 16, places, live });
  }
});

gpuTest("rotaryTables() hold angles to the last bit of f32 at the far end", async (gpu) => {
  using tables: RotaryTables = rotaryTables(gpu, { headSize: 4, base: BASE });
  assertEquals(tables.pairs, 2);
  const far = await readFloats(gpu, tables.far);
  const angle = (MAX_POSITIONS - 1024) * BASE ** -0.5;
  const expected = [Math.cos(angle), Math.sin(angle)].map(Math.fround);
  assertEquals([...far.subarray(far.length - 2)], expected);
});

gpuTest("ropeStore() throws when qkv is not three times as wide as the heads", (gpu) => {
  using rotary = rotaryTables(gpu, { headSize: 16, base: BASE });
  const shape = { slots: [[0]], pageTokens: 16, heads: 2, headWidth: 16 };
  using cache = new HostCache(shape, 0).upload(gpu);
  using rows = uploadRows(gpu, [{}]);
  using counts = uploadCounts(gpu, { rows: 1 });
  using qkv = gpu.tensor("qkv", [1, 64]);
  const operands = { qkv, rows, counts, cache, rotary };
  assertThrows(() => ropeStore(gpu.pass(), operands), TypeError, "expected [1,96]");
});
