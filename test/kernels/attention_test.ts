import { assert, assertEquals, assertThrows } from "@std/assert";
import { attention, paddedHeadSize, type Row } from "../../kernels/mod.ts";
import type { Gpu } from "../../src/gpu/mod.ts";
import * as reference from "../reference/forward.ts";
import { assertClose, gpuTest, noise, readFloats, upload } from "../support/gpu.ts";
import { HostCache } from "./host_cache.ts";
import { fillNextScratch, pad, uploadCounts, uploadRows } from "./tables.ts";

/** Stands in every place of q and o before. */
const UNTOUCHED = 7;

interface Attended {
  readonly heads: number;
  readonly headSize: number;
  /** Pages of every slot. */
  readonly slots: readonly (readonly number[])[];
  readonly pageTokens?: number;
  readonly rows: readonly Pick<Row, "slot" | "first" | "end">[];
  /** Live rows; all where left out. */
  readonly live?: number;
}

/** q of a row, k and v of a position: [heads · headSize] of noise that depends on them alone. */
function vector(
  what: "q" | "k" | "v",
  { heads, headSize }: Attended,
  at: { slot: number; place: number },
): Float32Array {
  const seed = ["q", "k", "v"].indexOf(what) + 3 * (at.slot + 10 * at.place);
  // Scores spread over a few units, so that the softmax is neither flat nor a single key.
  return noise(heads * headSize, seed).map((each) => each * (what === "v" ? 1 : 2));
}

/** Runs the kernel on a cache that holds what the rows see, and NaN everywhere else. */
async function attend(gpu: Gpu, attended: Attended): Promise<Float32Array> {
  const { heads, headSize, slots, pageTokens = 16, rows, live = rows.length } = attended;
  const headWidth = paddedHeadSize(headSize);
  const host = new HostCache({ slots, pageTokens, heads, headWidth }, NaN);
  for (const { slot, first, end } of rows) {
    for (let position = first; position < end; position++) {
      const at = { slot, place: position };
      host.put({ slot, position }, vector("k", attended, at), vector("v", attended, at));
    }
  }
  const asked = rows.flatMap(({ slot }, row) => [
    ...pad(vector("q", attended, { slot, place: row }), headSize, headWidth),
  ]);
  using cache = host.upload(gpu);
  using q = upload(gpu, [rows.length, heads * headWidth], asked);
  using table = uploadRows(gpu, rows);
  using counts = uploadCounts(gpu, { rows: live });
  const pass = gpu.pass();
  const id = fillNextScratch(gpu, pass, { shape: q.shape, value: UNTOUCHED });
  using o = attention(pass, { q, rows: table, counts, cache, headSize });
  assertEquals(o.id, id);
  pass.submit();
  return await readFloats(gpu, o);
}

/** Row `row` of the reference: [heads · padded head size]. */
function expectRow(attended: Attended, row: number): Float32Array {
  const { heads, headSize, rows } = attended;
  const { slot, first, end } = rows[row]!;
  const positions = Array.from({ length: end - first }, (_, i) => first + i);
  const all = (what: "k" | "v") =>
    Float32Array.from(
      positions.flatMap((place) => [...vector(what, attended, { slot, place })]),
    );
  const o = reference.attention({
    q: vector("q", attended, { slot, place: row }),
    k: all("k"),
    v: all("v"),
    heads,
    headSize,
    visible: () => true,
  });
  return pad(o, headSize, paddedHeadSize(headSize));
}

async function checkAttended(gpu: Gpu, attended: Attended): Promise<void> {
  const actual = await attend(gpu, attended);
  const live = attended.live ?? attended.rows.length;
  const width = actual.length / attended.rows.length;
  for (let row = 0; row < live; row++) {
    const label = `row ${row}: ${JSON.stringify(attended.rows[row])}`;
    const found = actual.subarray(row * width, (row + 1) * width);
    assertClose(found, expectRow(attended, row), {}, label);
  }
  assert(actual.subarray(live * width).every((value) => value === UNTOUCHED), "beyond");
}

// Whole chunks of 8 keys, parts of them at either end, within one, a page's edge, one key.
const RANGES = [[0, 8], [0, 5], [3, 21], [9, 14], [8, 24], [15, 17], [4, 5], [0, 1], [37, 93]];

for (const headSize of [12, 16, 32, 64, 96, 128, 256]) {
  gpuTest(`attention() matches the reference for heads of ${headSize}`, async (gpu) => {
    const rows = RANGES.map(([first, end]) => ({ slot: 0, first: first!, end: end! }));
    await checkAttended(gpu, { heads: 2, headSize, slots: [[3, 0, 5, 1, 2, 4]], rows });
  });

  // Rows of several sequences, whose windows have gone round their pages.
  gpuTest(`attention() follows the page tables for heads of ${headSize}`, async (gpu) => {
    const slots = [[7, 0, 5], [3, 1, 6, 8], [4], [2]];
    const rows = [
      { slot: 1, first: 116, end: 164 },
      { slot: 0, first: 83, end: 128 },
      { slot: 2, first: 1_000_003, end: 1_000_016 },
      { slot: 1, first: 120, end: 180 },
      { slot: 0, first: 80, end: 88 },
    ];
    await checkAttended(gpu, { heads: 2, headSize, slots, rows });
  });
}

gpuTest("attention() gives a row the same bits among others, in any place", async (gpu) => {
  const shape = { heads: 2, headSize: 16, slots: [[3, 0, 5, 1, 2, 4], [6]] };
  const one = { slot: 0, first: 37, end: 93 };
  const other = { slot: 1, first: 2, end: 16 };
  const alone = await attend(gpu, { ...shape, rows: [one] });
  // q depends on the row's number: rows 1 to 9 are neighbours of another kind.
  const rows = [one, ...Array(9).fill(other), { slot: 0, first: 0, end: 96 }];
  const among = await attend(gpu, { ...shape, rows });
  assertEquals(among.slice(0, alone.length), alone);
  const last = Array(12).fill(other).with(11, one);
  const first = Array(19).fill(one);
  const width = alone.length;
  assertEquals(
    (await attend(gpu, { ...shape, rows: last })).slice(11 * width, 12 * width),
    (await attend(gpu, { ...shape, rows: first })).slice(11 * width, 12 * width),
  );
});

gpuTest("attention() leaves rows beyond the live ones untouched", async (gpu) => {
  const rows = Array(11).fill({ slot: 0, first: 3, end: 21 });
  for (const live of [0, 1, 9]) {
    await checkAttended(gpu, { heads: 2, headSize: 16, slots: [[1, 0]], rows, live });
  }
});

// Drivers that count the iterations of loops leave them early, in silence: long contexts show it.
for (const [headSize, keys] of [[64, 4096], [128, 4096], [256, 4096], [32, 33_000]]) {
  gpuTest(`attention() sees ${keys} keys with heads of ${headSize}`, async (gpu) => {
    const pages = Array.from({ length: Math.ceil(keys! / 16) }, (_, i) => i);
    const ranges = [[0, keys!], [0, 2048], [5, 11], [3, 2049], [2043, keys!]];
    const rows = ranges.map(([first, end]) => ({ slot: 0, first: first!, end: end! }));
    await checkAttended(gpu, { heads: 2, headSize: headSize!, slots: [pages], rows });
  });
}

gpuTest("attention() stands scores far beyond what exp can take", async (gpu) => {
  const keys = [[300, 0], [-300, 0], [299, 0], [0, 900]];
  const host = new HostCache({ slots: [[0]], pageTokens: 8, heads: 1, headWidth: 16 }, NaN);
  keys.forEach((key, position) => host.put({ slot: 0, position }, key, [position, 1]));
  using cache = host.upload(gpu);
  using q = upload(gpu, [1, 16], [Math.SQRT2, 0, ...Array(14).fill(0)]);
  using rows = uploadRows(gpu, [{ first: 0, end: 4 }]);
  using counts = uploadCounts(gpu, { rows: 1 });
  const pass = gpu.pass();
  using o = attention(pass, { q, rows, counts, cache, headSize: 2 });
  pass.submit();
  // Scores 300, -300, 299 and 0: weights 1, 0, 1/e and 0.
  const expected = [2 / (Math.E + 1), 1, ...Array(14).fill(0)];
  assertClose(await readFloats(gpu, o), expected, { tolerance: 3e-5 });
});

Deno.test("paddedHeadSize() takes the next size that there is a kernel for", () => {
  assertEquals([2, 12, 16, 17, 80, 128, 130, 256].map(paddedHeadSize), [
    ...[16, 16, 16, 32, 96, 128, 256, 256],
  ]);
  assertThrows(() => paddedHeadSize(257), RangeError, "head size is 257");
});

gpuTest("attention() throws when q is not as wide as the heads", (gpu) => {
  const shape = { slots: [[0]], pageTokens: 16, heads: 2, headWidth: 16 };
  using cache = new HostCache(shape, 0).upload(gpu);
  using rows = uploadRows(gpu, [{}]);
  using counts = uploadCounts(gpu, { rows: 1 });
  using q = gpu.tensor("q", [1, 16]);
  const operands = { q, rows, counts, cache, headSize: 16 };
  assertThrows(() => attention(gpu.pass(), operands), TypeError, "expected [1,32]");
});
