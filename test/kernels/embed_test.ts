import { assert, assertEquals } from "@std/assert";
import { embed } from "../../kernels/mod.ts";
import type { DeviceClass, Gpu } from "../../src/gpu/mod.ts";
import { type Embedding, uploadEmbedding, uploadLinear } from "../../src/weights/formats.ts";
import { tiedEmbedding } from "../../src/weights/tied_embedding.ts";
import * as reference from "../reference/forward.ts";
import { gpuTest, noise, readFloats } from "../support/gpu.ts";
import {
  disguise,
  fillNextScratch,
  matrixSource,
  rounded,
  uploadCounts,
  uploadRows,
} from "./tables.ts";

interface Lookup {
  readonly vocabulary: number;
  readonly width: number;
  readonly format: "f32" | "f16";
  readonly tokens: readonly number[];
  /** Live rows; all where left out. */
  readonly live?: number;
  /** Largest binding in bytes. */
  readonly limit?: number;
  /** Where the embedding is a matrix: the kind of device that it is uploaded for. */
  readonly tiedFor?: DeviceClass;
}

/** An embedding, with what is freed for it. */
function openEmbedding(
  gpu: Gpu,
  values: Float32Array<ArrayBuffer>,
  { width, format, tiedFor }: Lookup,
): { embedding: Embedding; owner: Disposable } {
  const source = matrixSource(values, width);
  if (tiedFor === undefined) {
    const embedding = uploadEmbedding(gpu, source, { name: "e", format });
    return { embedding, owner: embedding };
  }
  const owner = uploadLinear(gpu, source, { name: "e", format });
  return { embedding: tiedEmbedding(owner)!, owner }; // Both formats are embeddings' own.
}

/** Looks `tokens` up, with a result full of 7 before, and checks the live rows bit for bit. */
async function checkLookup(gpu: Gpu, lookup: Lookup): Promise<{ parts: number }> {
  const { vocabulary, width, format, tokens, live = tokens.length, limit, tiedFor } = lookup;
  const values = noise(vocabulary * width);
  const uploader = disguise(gpu, {
    ...(limit !== undefined && { maxStorageBufferBindingSize: limit }),
    ...(tiedFor !== undefined && { deviceClass: tiedFor }),
  });
  const { embedding, owner } = openEmbedding(uploader, values, lookup);
  using _ = owner;
  using rows = uploadRows(gpu, tokens.map((token) => ({ token })));
  using counts = uploadCounts(gpu, { rows: live, heads: 0 });
  const pass = gpu.pass();
  const bound = tokens.length;
  const id = fillNextScratch(gpu, pass, { shape: [bound, width], value: 7 });
  using x = embed(pass, { rows, counts, bound, embedding });
  assertEquals(x.id, id);
  pass.submit();
  const actual = await readFloats(gpu, x);
  const expected = reference.embed(tokens.slice(0, live), rounded(values, format), width);
  assertEquals(Float64Array.from(actual.subarray(0, live * width)), expected);
  assert(actual.subarray(live * width).every((value) => value === 7));
  return { parts: embedding.parts.length };
}

// One row of the smallest width, exactly the 64 lanes of 4 columns, a rest beyond them, real sizes.
const SHAPES = [[2, 32, 1], [61, 256, 3], [61, 288, 9], [50_258, 768, 33]] as const;

for (const [vocabulary, width, bound] of SHAPES) {
  for (const format of ["f32", "f16"] as const) {
    gpuTest(`embed() copies ${bound} rows of [${vocabulary}, ${width}] ${format}`, async (gpu) => {
      // The first and the last token, and some between.
      const tokens = Array.from(
        { length: bound },
        (_, i) => i % 3 === 0 ? vocabulary - 1 - i : (i * 7919) % vocabulary,
      );
      // Small enough for a matrix of real size to be split on any device.
      await checkLookup(gpu, { vocabulary, width, format, tokens, limit: 100 << 20 });
    });
  }
}

for (const format of ["f32", "f16"] as const) {
  gpuTest(`embed() finds tokens in every part of a split ${format} matrix`, async (gpu) => {
    const tokens = Array.from({ length: 109 }, (_, i) => (i * 17) % 109);
    // A binding holds 42 rows: parts of 32, 32, 32 and 13.
    const limit = 42 * 32 * (format === "f16" ? 2 : 4);
    const lookup = { vocabulary: 109, width: 32, format, tokens, limit };
    assertEquals(await checkLookup(gpu, lookup), { parts: 4 });
  });
}

for (const format of ["f32", "f16"] as const) {
  for (const tiedFor of ["cpu", "gpu"] as const) {
    gpuTest(
      `embed() finds tokens in the tiles of a tied ${format} matrix on a ${tiedFor}`,
      async (gpu) => {
        const tokens = Array.from({ length: 128 }, (_, i) => (i * 17) % 128);
        const lookup = { vocabulary: 128, format, tokens, tiedFor };
        assertEquals(await checkLookup(gpu, { ...lookup, width: 32 }), { parts: 1 });
        const limit = 70 * 288 * (format === "f16" ? 2 : 4);
        assertEquals(await checkLookup(gpu, { ...lookup, width: 288, limit }), { parts: 2 });
      },
    );
  }
}

gpuTest("embed() leaves rows beyond the live ones untouched", async (gpu) => {
  for (const live of [0, 1, 4]) {
    await checkLookup(gpu, { vocabulary: 9, width: 32, format: "f32", tokens: [8, 0, 3, 3], live });
  }
});
