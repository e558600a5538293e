import { assertEquals, assertThrows } from "@std/assert";
import { attention, paddedHeadSize } from "../../kernels/mod.ts";
import type { DeviceClass, Gpu } from "../../src/gpu/mod.ts";
import { assertClose, gpuTest, noise, readFloats, upload } from "../support/gpu.ts";
import { attend, checkAttended } from "./attended.ts";
import { HostCache } from "./host_cache.ts";
import { deviceClassesOf, fillNextScratch, passOf, uploadCounts, uploadRows } from "./tables.ts";

const FORMATS = ["f32", "f16"] as const;
/** Whole chunks of 4 keys and panels of 8, parts of them at either end, within one, a page's edge. */
const RANGES = [
  ...[[0, 8], [0, 5], [3, 21], [9, 14], [8, 24], [15, 17], [4, 5], [0, 1]],
  ...[[4, 8], [2, 6], [5, 12], [1, 3], [3, 4], [2, 23]],
] as [number, number][];

// The kernels of larger heads, which take seconds to compile, meet all classes in long contexts only.
for (const format of FORMATS) {
  for (const headSize of [12, 32, 64, 96, 128, 256]) {
    const heads = `heads of ${headSize} in ${format}`;
    const deviceClassesFor = (gpu: Gpu) =>
      headSize <= 64 ? deviceClassesOf(gpu) : [gpu.deviceClass];
    gpuTest(`attention() matches the reference for ${heads}`, async (gpu) => {
      const ranges = RANGES.map(([first, end]) => ({ slot: 0, first, end }));
      const rows = [...ranges.slice(0, 5), { slot: 1, first: 37, end: 93 }, ...ranges.slice(5)];
      const slots = [[3, 0], [5, 1, 2, 4, 6, 7]];
      const deviceClasses = deviceClassesFor(gpu);
      await checkAttended(gpu, { heads: 2, headSize, format, slots, rows, deviceClasses });
    });

    // Rows of several sequences, whose windows have gone round their pages.
    gpuTest(`attention() follows the page tables for ${heads}`, async (gpu) => {
      const slots = [[7, 0, 5], [3, 1, 6, 8], [4], [2]];
      const rows = [
        { slot: 1, first: 116, end: 164 },
        { slot: 0, first: 83, end: 128 },
        { slot: 2, first: 1_000_003, end: 1_000_016 },
        { slot: 1, first: 120, end: 180 },
        { slot: 0, first: 80, end: 88 },
      ];
      const deviceClasses = deviceClassesFor(gpu);
      await checkAttended(gpu, { heads: 2, headSize, format, slots, rows, deviceClasses });
    });
  }

  gpuTest(`attention() in ${format} runs for the rows of heads, in their order`, async (gpu) => {
    const shape = { heads: 2, headSize: 12, format, slots: [[0, 2, 1], [6, 4, 3, 5]] };
    // Blocks of 8, of two sequences in turn: those of a subgroup are of both.
    const rows = Array.from({ length: 24 }, (_, i) => ({ slot: i % 2, first: 3, end: 25 + i }));
    for (
      const asked of [[5], [4, 1, 1, 23], [
        0,
        2,
        4,
        6,
        8,
        10,
        12,
        1,
        3,
        5,
        7,
        9,
        22,
        20,
        15,
        13,
        11,
      ]]
    ) {
      await checkAttended(gpu, { ...shape, rows, asked });
      await checkAttended(gpu, { ...shape, rows, asked, live: asked.length - 1 });
    }
  });
}

// One key/value head for all, and several; in one slice of the keys and in many; among other sequences.
for (const [heads, group] of [[1, 3], [2, 2], [3, 4]] as const) {
  for (const format of FORMATS) {
    gpuTest(`attention() shares ${heads} heads in ${format} by groups of ${group}`, async (gpu) => {
      const ranges = RANGES.map(([first, end]) => ({ slot: 0, first, end }));
      const long = Array.from({ length: 40 }, (_, i) => 6 + i);
      const slots = [[3, 0], [5, 1, 2, 4], long];
      const rows = [...ranges, { slot: 1, first: 3, end: 50 }, { slot: 2, first: 1, end: 601 }];
      const shape = { heads, group, headSize: 12, format, slots };
      await checkAttended(gpu, { ...shape, rows });
      await checkAttended(gpu, { ...shape, rows, asked: [15, 3, 14, 3, 0] });
    });
  }
}

gpuTest("attention() of a group has the bits of each of its heads alone", async (gpu) => {
  const shape = { headSize: 12, slots: [[0, 2, 1]], rows: [{ slot: 0, first: 3, end: 41 }] };
  // The first heads have the same q, k and v whatever follows them.
  const shared = await attend(gpu, { ...shape, heads: 1, group: 4 });
  const alone = await attend(gpu, { ...shape, heads: 1 });
  for (const [deviceClass, y] of alone) {
    assertEquals(shared.get(deviceClass)!.slice(0, y.length), y, deviceClass);
  }
});

// Noisy copies of a text beside each other: their blocks begin and end anywhere in chunks and panels.
for (const [format, headSize] of [["f32", 12], ["f16", 12], ["f32", 96]] as const) {
  gpuTest(`attention() in ${format} sees a past with heads of ${headSize}`, async (gpu) => {
    const slots = [[3, 0, 2], [5, 1, 12], [4, 8, 7], [6, 13, 14, 15], [9, 10, 11]];
    for (const blockSize of [1, 2, 3, 8, 20]) {
      const rows = [0, 1, 2].flatMap((copy) =>
        Array.from({ length: 7 }, (_, i) => {
          const first = (copy + Math.floor(i / blockSize)) * blockSize;
          // Two copies of one text, and one of another; clean rows see no past.
          const past = { slot: copy < 2 ? 0 : 4, end: first };
          return { slot: 1 + copy, first, end: first + blockSize, past };
        })
      );
      const clean = [{ slot: 0, first: 0, end: 37 }, { slot: 4, first: 2, end: 40 }];
      const shape = { heads: 2, headSize, format, slots };
      const mixed = [...rows.slice(0, 9), clean[0]!, ...rows.slice(9), clean[1]!];
      await checkAttended(gpu, { ...shape, rows: mixed });
      await checkAttended(gpu, { ...shape, rows: mixed, asked: [22, 8, 3, 4, 17, 9, 10, 11, 0] });
    }
  });
}

// Every edge of a subgroup's rows.
for (const headSize of [12, 96, 256]) {
  gpuTest(`attention() mixes sequences in any way with heads of ${headSize}`, async (gpu) => {
    const slots = Array.from({ length: 6 }, (_, slot) => [2 * slot, 2 * slot + 1]);
    for (const length of [1, 2, 7, 8, 9, 15, 16, 17, 33]) {
      const rows = Array.from({ length }, (_, i) => {
        const slot = (i * 5 + Math.floor(i / 7)) % 6;
        return { slot, first: slot + i % 3, end: slot + 9 + i % 13 };
      });
      await checkAttended(gpu, { heads: 2, headSize, slots, rows });
    }
  });
}

gpuTest("attention() gives a row the same bits among others, in any place", async (gpu) => {
  const pages = Array.from({ length: 30 }, (_, i) => (i * 7) % 30);
  const shape = { heads: 2, headSize: 12, slots: [pages, [30], [31]] };
  // A few chunks, and more than lanes of a workgroup take at a time.
  for (const end of [93, 288, 301]) {
    const one = { slot: 0, first: 37, end };
    const [low, high] = [1, 2].map((slot) => ({ slot, first: 2, end: 16 }));
    const rowsOf = (y: Float32Array, row: number) => y.slice(row * 64, (row + 1) * 64);
    const alone = await attend(gpu, { ...shape, rows: [one] });
    // q depends on the row's number: rows 1 to 9 are neighbours of another kind.
    const among = await attend(gpu, {
      ...shape,
      rows: [one, ...Array(9).fill(low), { slot: 0, first: 0, end: 304 }],
    });
    const first = await attend(gpu, { ...shape, rows: Array(19).fill(one) });
    const last = await attend(gpu, { ...shape, rows: Array(12).fill(high).with(11, one) });
    const asked = await attend(gpu, {
      ...shape,
      rows: Array(12).fill(low).with(11, one),
      asked: [3, 11, 2],
    });
    for (const [deviceClass, y] of alone) {
      assertEquals(rowsOf(among.get(deviceClass)!, 0), y, deviceClass);
      const expected = rowsOf(first.get(deviceClass)!, 11);
      assertEquals(rowsOf(last.get(deviceClass)!, 11), expected, deviceClass);
      assertEquals(rowsOf(asked.get(deviceClass)!, 1), expected, deviceClass);
    }
  }
});

gpuTest("attention() leaves rows beyond the live ones untouched", async (gpu) => {
  const rows = Array(11).fill({ slot: 0, first: 3, end: 21 });
  for (const live of [0, 1, 9]) {
    await checkAttended(gpu, { heads: 2, headSize: 12, slots: [[1, 0]], rows, live });
  }
});

// Pieces of 512 keys, and a GPU's slices of 1,024 where a table has room for more than two of them:
// whole, with a rest, from the middle of a page, some rows with fewer.
for (const format of FORMATS) {
  for (const [edge, places] of [[512, 70], [1024, 150]] as const) {
    gpuTest(`attention() adds stretches of ${edge} keys in ${format}`, async (gpu) => {
      const pages = Array.from({ length: places }, (_, i) => (i * 11) % places);
      const shape = { heads: 2, headSize: 64, format };
      const ranges = [
        ...[[0, edge], [0, edge + 1], [7, edge + 44], [8, edge + 8], [0, 2 * edge - 24]],
        ...[[9, 2 * edge + 6], [edge - 6, edge + 4], [3, 4]],
      ];
      const rows = ranges.map(([first, end]) => ({ slot: 0, first: first!, end: end! }));
      await checkAttended(gpu, { ...shape, slots: [pages], rows });
      // The past ends, or the row's own keys begin, at the edge, before or behind it.
      const copies = [
        ...[[edge, edge + 4], [edge - 4, edge + 2], [edge - 1, edge + 1]],
        ...[[2 * edge - 3, 2 * edge + 7], [edge + 489, edge + 600]],
      ];
      const withPast = copies.map(([first, end]) => ({
        ...{ slot: 1, first: first!, end: end! },
        past: { slot: 0, end: first! },
      }));
      await checkAttended(gpu, {
        ...{ ...shape, rows: withPast.toReversed() },
        slots: [pages, pages.map((page) => places + page)],
        // Rows far apart meet in no subgroup of a pass.
        deviceClasses: ["cpu", "gpu"],
      });
      await checkAttended(gpu, {
        ...{ ...shape, slots: [pages], rows },
        asked: [4, 0, 6, 5, 5],
        live: 4,
      });
    });
  }
}

// Drivers that count the iterations of loops leave them early, in silence: long contexts show it.
for (const [headSize, keys] of [[64, 4096], [128, 32_752], [256, 4096], [32, 33_000]] as const) {
  gpuTest(`attention() sees ${keys} keys with heads of ${headSize}`, async (gpu) => {
    const pages = Array.from({ length: Math.ceil(keys / 16) }, (_, i) => i);
    const ranges = [[0, keys], [0, 2048], [5, 11], [3, 2049], [2043, keys]];
    const rows = ranges.map(([first, end]) => ({ slot: 0, first: first!, end: end! }));
    const attended = { heads: 2, headSize, slots: [pages], rows };
    await checkAttended(gpu, { ...attended, format: "f16" });
  });
}

// Each row may be of a sequence of its own, whose keys the group goes over. At both edges of what two
// rows a lane, and one, may take, and beyond: all of it to the bits of kernels without subgroups.
for (const pages of [505, 510, 1020, 1023]) {
  gpuTest(`attention() sees ${32 * pages} keys of each of 16 sequences`, async (gpu) => {
    const [page, head, sequences] = [32, 32, 16];
    const shape = [pages, 1, page, head];
    using k = upload(gpu, shape, noise(pages * page * head, 1));
    using v = upload(gpu, shape, noise(pages * page * head, 2));
    using q = upload(gpu, [sequences, head], noise(sequences * head, 3));
    // All have the same pages.
    const table = Array.from({ length: pages + 1 }, (_, i) => i === 0 ? pages : i - 1);
    using tables = gpu.tensor("pages", [sequences, pages + 1], {
      dtype: "u32",
      data: Uint32Array.from(Array(sequences).fill(table).flat()),
    });
    const seen = { first: 0, end: pages * page };
    using rows = uploadRows(
      gpu,
      Array.from({ length: sequences }, (_, slot) => ({ slot, ...seen })),
    );
    using counts = uploadCounts(gpu, { rows: sequences });
    const operands = { q, rows, counts, cache: { pages: tables, k, v }, headSize: head };
    const attendBy = async (deviceClass: DeviceClass, together: number) => {
      const pass = passOf(gpu, deviceClass);
      // What is not stored must not be that of the run before.
      fillNextScratch(gpu, pass, { shape: [sequences, head], value: 7 });
      using o = attention(pass, { ...operands, together });
      pass.submit();
      return await readFloats(gpu, o);
    };
    const expected = await attendBy("cpu", 1);
    for (const deviceClass of deviceClassesOf(gpu).filter((each) => each !== "gpu")) {
      assertEquals(await attendBy(deviceClass, 1), expected);
      assertEquals(await attendBy(deviceClass, 16), expected);
    }
  });
}

gpuTest("attention() stands scores far beyond what exp can take", async (gpu) => {
  const keys = [[300, 0], [-300, 0], [299, 0], [0, 900]];
  const host = new HostCache({ slots: [[0]], pageTokens: 8, heads: 1, headWidth: 32 }, NaN);
  keys.forEach((key, position) => host.put({ slot: 0, position }, key, [position, 1]));
  using cache = host.upload(gpu);
  using q = upload(gpu, [1, 32], [Math.SQRT2, 0, ...Array(30).fill(0)]);
  using rows = uploadRows(gpu, [{ first: 0, end: 4 }]);
  using counts = uploadCounts(gpu, { rows: 1 });
  // Scores 300, -300, 299 and 0: weights 1, 0, 1/e and 0.
  const expected = [2 / (Math.E + 1), 1, ...Array(30).fill(0)];
  for (const deviceClass of deviceClassesOf(gpu)) {
    const pass = passOf(gpu, deviceClass);
    using o = attention(pass, { q, rows, counts, cache, headSize: 2 });
    pass.submit();
    // A score of 300 has steps of 3e-5.
    assertClose(await readFloats(gpu, o), expected, { tolerance: 3e-5 }, deviceClass);
  }
});

Deno.test("paddedHeadSize() takes the next size that there is a kernel for", () => {
  assertEquals([2, 12, 32, 33, 80, 128, 130, 256].map(paddedHeadSize), [
    ...[32, 32, 32, 64, 96, 128, 256, 256],
  ]);
  assertThrows(() => paddedHeadSize(257), RangeError, "head size is 257");
});

gpuTest("attention() throws when q is not as wide as the heads", (gpu) => {
  const shape = { slots: [[0]], pageTokens: 16, heads: 2, headWidth: 32 };
  using cache = new HostCache(shape, 0).upload(gpu);
  using rows = uploadRows(gpu, [{}]);
  using counts = uploadCounts(gpu, { rows: 1 });
  using q = gpu.tensor("q", [1, 32]);
  const operands = { q, rows, counts, cache, headSize: 32 };
  assertThrows(() => attention(gpu.pass(), operands), TypeError, "expected [1,64]");
});
