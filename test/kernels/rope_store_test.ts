import { assert, assertEquals, assertThrows } from "@std/assert";
import { linear, MAX_POSITIONS, rotaryTables, type Row } from "../../kernels/mod.ts";
import type { DeviceClass, Gpu } from "../../src/gpu/mod.ts";
import { uploadLinear } from "../../src/weights/formats.ts";
import * as reference from "../reference/forward.ts";
import { assertClose, gpuTest, noise, readFloats, upload } from "../support/gpu.ts";
import { HostCache, type HostCacheShape, pair, readStore } from "./host_cache.ts";
import { handOn } from "./matrices.ts";
import {
  deviceClassesOf,
  fillNextScratch,
  matrixSource,
  pad,
  passOf,
  rounded,
  uploadCounts,
  uploadRows,
} from "./tables.ts";

const BASE = 10_000;
/** Stands in every place of the cache and of q before. */
const UNTOUCHED = 7;

interface Store extends HostCacheShape {
  readonly deviceClass: DeviceClass;
  /** Heads of q for each of the cache's; 1 where left out. */
  readonly group?: number;
  /** Components of a head without padding. */
  readonly headSize: number;
  readonly places: readonly Pick<Row, "slot" | "position">[];
  /** Live rows; all where left out. */
  readonly live?: number;
}

/** Stores rows of noise and checks q, and every place of the cache, written or not. */
async function checkStore(gpu: Gpu, store: Store): Promise<void> {
  const { headSize, headWidth, places, live = places.length, format = "f32", group = 1 } = store;
  const heads = store.heads * group;
  using rotary = rotaryTables(gpu, { headSize, base: BASE });
  using weight = handOn(gpu, store);
  const parts = [heads, store.heads, store.heads].map((count, part) =>
    noise(places.length * count * headSize, 2 + part)
  );
  const { qkv, expected, rotated } = expectStore(store, parts);
  using x = upload(gpu, [places.length, qkv.length / places.length], qkv);
  using cache = new HostCache(store, UNTOUCHED).upload(gpu);
  using rows = uploadRows(gpu, places);
  using counts = uploadCounts(gpu, { rows: live, heads: 99 });
  const pass = passOf(gpu, store.deviceClass);
  const shape = [places.length, heads * headWidth];
  const id = fillNextScratch(gpu, pass, { shape, value: UNTOUCHED });
  const epilogue = { type: "rope_store", rows, cache, rotary } as const;
  using q = linear(pass, { x, weight, counts, epilogue });
  assertEquals([q.id, q.shape], [id, shape]);
  pass.submit();
  const actual = await readFloats(gpu, q);
  const written = live * heads * headWidth;
  assertClose(actual.subarray(0, written), pad(rotated, headSize, headWidth), {}, "q");
  assert(actual.subarray(written).every((value) => value === UNTOUCHED), "q beyond");
  const k = await readStore(gpu, cache.k);
  const isWritten = (_: number, at: number) => expected.k[at] !== UNTOUCHED;
  // A half is off by 2^-11 of its power of two at most.
  const tolerance = format === "f16" ? 2 ** -11 : 1e-5;
  assertClose(k.filter(isWritten), expected.k.filter(isWritten), { tolerance }, "k");
  assert(k.every((value, at) => isWritten(value, at) || value === UNTOUCHED), "k beyond");
  assertEquals(await readStore(gpu, cache.v), rounded(expected.v, format));
}

/** The operand, the cache after it, and live rows of q; `parts` are q, k and v without padding. */
function expectStore(store: Store, parts: readonly Float32Array[]) {
  const { headSize, headWidth, places, live = places.length } = store;
  const ofRow = (values: ArrayLike<number>, row: number) => {
    const width = values.length / places.length;
    return Array.from(values).slice(row * width, (row + 1) * width);
  };
  const qkv = places.flatMap((_, row) =>
    parts.flatMap((part) => [...pad(ofRow(part, row), headSize, headWidth)])
  );
  const tables = reference.rotaryTables(places.map(({ position }) => position), {
    headSize,
    base: BASE,
  });
  const [q, k] = parts.map((part) =>
    pair(reference.applyRotary(part, { ...tables, headSize }), headSize)
  );
  const expected = new HostCache(store, UNTOUCHED);
  places.slice(0, live).forEach((at, row) => {
    expected.put(at, ofRow(k!, row), ofRow(parts[2]!, row));
  });
  return { qkv, expected, rotated: q!.subarray(0, live * q!.length / places.length) };
}

// Where the tables begin, meet and end, and where an f32 angle would be off.
const POSITIONS = [0, 1, 31, 32, 1023, 1024, 5000, 1_000_000, MAX_POSITIONS - 1];
/** Enough pages that no two of the positions meet. */
const RING = [9, 0, 3, 1, 8, 5, 2, 7, 6];

const SIZES = [[1, 2, 32], [3, 12, 32], [2, 10, 32], [2, 32, 32], [2, 64, 64]] as const;
for (const format of ["f32", "f16"] as const) {
  for (const [heads, headSize, headWidth] of SIZES) {
    const size = `${heads} heads of ${headSize} in ${headWidth}`;
    gpuTest(`linear() rotates ${size} at all positions, and stores ${format}`, async (gpu) => {
      const places = POSITIONS.map((position) => ({ slot: 0, position }));
      const shape = { slots: [RING], pageTokens: 16, heads, headWidth, headSize, format };
      // One size is compiled for all.
      const classes = headSize === 12 ? deviceClassesOf(gpu) : [gpu.deviceClass];
      for (const deviceClass of classes) await checkStore(gpu, { ...shape, deviceClass, places });
    });
  }

  gpuTest(`linear() stores ${format} round the pages of every slot`, async (gpu) => {
    const slots = [[4, 0], [2], [1, 3, 5]];
    // Position 40 of slot 0 lies in its first page again, 31 of slot 2 in its second.
    const places = [
      { slot: 0, position: 40 },
      { slot: 2, position: 31 },
      { slot: 1, position: 130 },
      { slot: 0, position: 31 },
      { slot: 2, position: 5000 },
    ];
    const shape = { slots, pageTokens: 16, heads: 3, headWidth: 32, headSize: 12, format };
    await checkStore(gpu, { ...shape, deviceClass: gpu.deviceClass, places });
  });
}

for (const [heads, group] of [[1, 4], [2, 2], [3, 3]] as const) {
  gpuTest(`linear() stores ${heads} heads for groups of ${group} of q`, async (gpu) => {
    const places = [0, 17, 5000, 3].map((position) => ({ slot: 0, position }));
    const shape = { slots: [RING], pageTokens: 16, heads, group, headWidth: 32, headSize: 12 };
    for (const deviceClass of deviceClassesOf(gpu)) {
      await checkStore(gpu, { ...shape, deviceClass, places });
    }
  });
}

gpuTest("linear() stores nothing for rows beyond the live ones", async (gpu) => {
  for (const deviceClass of deviceClassesOf(gpu)) {
    for (const live of [0, 2]) {
      const places = [8, 9, 10, 11].map((position) => ({ slot: 0, position }));
      const shape = { slots: [[1]], pageTokens: 16, heads: 3, headWidth: 32, headSize: 12 };
      await checkStore(gpu, { ...shape, deviceClass, places, live });
    }
  }
});

gpuTest("rotaryTables() hold angles to the last bit of f32 at the far end", async (gpu) => {
  using tables = rotaryTables(gpu, { headSize: 4, base: BASE });
  const far = await readFloats(gpu, tables.far);
  assertEquals(tables.far.shape, [2048, 16, 2]);
  const angle = (MAX_POSITIONS - 1024) * BASE ** -0.5;
  const expected = [Math.cos(angle), Math.sin(angle)].map(Math.fround);
  const last = far.subarray(-32);
  assertEquals([...last.subarray(2, 4)], expected);
  // What pads the head does not turn.
  assertEquals([...last.subarray(4)], Array.from({ length: 28 }, (_, i) => 1 - i % 2));
});

gpuTest("linear() throws when it is not three times as wide as the heads", (gpu) => {
  using rotary = rotaryTables(gpu, { headSize: 32, base: BASE });
  const shape = { slots: [[0]], pageTokens: 16, heads: 2, headWidth: 32 };
  using cache = new HostCache(shape, 0).upload(gpu);
  using rows = uploadRows(gpu, [{}]);
  using counts = uploadCounts(gpu, { rows: 1 });
  using x = gpu.tensor("x", [1, 32]);
  const source = matrixSource(new Float32Array(128 * 32), 32);
  using weight = uploadLinear(gpu, source, { name: "w", format: "f32" });
  const epilogue = { type: "rope_store", rows, cache, rotary } as const;
  const run = () => linear(gpu.pass(), { x, weight, counts, epilogue });
  assertThrows(run, TypeError, "take 128 columns, expected 192");
  // Three heads of q for two of the cache.
  const odd = matrixSource(new Float32Array(224 * 32), 32);
  using other = uploadLinear(gpu, odd, { name: "w", format: "f32" });
  const runOdd = () => linear(gpu.pass(), { x, weight: other, counts, epilogue });
  assertThrows(runOdd, TypeError, "take 224 columns");
});

gpuTest("linear() stores no number for what no half can hold", async (gpu) => {
  const shape = { slots: [[0]], pageTokens: 16, heads: 1, headWidth: 32, headSize: 32 };
  const data = new Float32Array(3 * 32).fill(0.5);
  // In the first row a value of the key, in the second one of the value.
  const overflowing = [data.with(32 + 30, 1e5), data.with(2 * 32 + 5, -7e4)];
  using rotary = rotaryTables(gpu, { headSize: 32, base: BASE });
  using weight = handOn(gpu, shape);
  using cache = new HostCache({ ...shape, format: "f16" }, 0).upload(gpu);
  using rows = uploadRows(gpu, [{ slot: 0, position: 0 }, { slot: 0, position: 1 }]);
  using counts = uploadCounts(gpu, { rows: 2 });
  using x = upload(gpu, [2, data.length], overflowing.flatMap((each) => [...each]));
  const pass = gpu.pass();
  using _ = linear(pass, {
    x,
    weight,
    counts,
    epilogue: { type: "rope_store", rows, cache, rotary },
  });
  pass.submit();
  const [k, v] = [await readStore(gpu, cache.k), await readStore(gpu, cache.v)];
  // Vectors of 8 halves, of 8 positions in turn.
  const lost = (values: Float32Array) =>
    [0, 1].map((position) =>
      values.some((value, at) => Number.isNaN(value) && Math.floor(at / 8) % 8 === position)
    );
  assertEquals([lost(k), lost(v)], [[true, false], [false, true]]);
  // An infinity would drop out of the softmax unnoticed.
  assert([...k, ...v].every((value) => Math.abs(value) !== Infinity));
});
