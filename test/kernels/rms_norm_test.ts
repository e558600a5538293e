import { assert, assertEquals, assertThrows } from "@std/assert";
import { rmsNorm } from "../../kernels/mod.ts";
import type { DeviceClass, Gpu } from "../../src/gpu/mod.ts";
import * as reference from "../reference/forward.ts";
import { assertClose, gpuTest, noise, readFloats, upload } from "../support/gpu.ts";
import { deviceClassesOf, fillNextScratch, pad, passOf, uploadCounts } from "./tables.ts";

interface Norm {
  /** [rows, features]. */
  readonly x: Float32Array;
  readonly features: number;
  readonly deviceClass: DeviceClass;
  readonly epsilon?: number;
  readonly counted?: "rows" | "heads";
  /** Live rows; all where left out. */
  readonly live?: number;
}

function makeGain(features: number): Float32Array {
  return noise(features, 2).map((each) => each + 1.5);
}

/** Runs the kernel over rows full of 7 before: live rows, their padding, and what follows them. */
async function normalize(gpu: Gpu, norm: Norm) {
  const { x, features, epsilon = 1e-6, counted = "rows", deviceClass } = norm;
  const width = Math.ceil(features / 32) * 32;
  const bound = x.length / features;
  const live = norm.live ?? bound;
  // The count of the other kind must not matter.
  using counts = uploadCounts(gpu, { rows: 99, heads: 99, [counted]: live });
  using padded = upload(gpu, [bound, width], pad(x, features, width));
  using gain = upload(gpu, [width], pad(makeGain(features), features, width));
  const pass = passOf(gpu, deviceClass);
  const id = fillNextScratch(gpu, pass, { shape: [bound, width], value: 7 });
  const operands = { x: padded, counts, gain, features, epsilon };
  using y = rmsNorm(pass, counted === "rows" ? operands : { ...operands, counted });
  assertEquals([y.id, y.shape], [id, [bound, width]]);
  pass.submit();
  const all = await readFloats(gpu, y);
  const written = all.subarray(0, live * width);
  return {
    actual: written.filter((_, i) => i % width < features),
    padding: written.filter((_, i) => i % width >= features),
    beyond: all.subarray(live * width),
  };
}

// One column, a ragged tail, exactly 32 lanes of 8 columns, one column more, some rounds and a rest.
for (const [rows, features] of [[1, 1], [3, 5], [2, 256], [9, 257], [33, 1568]] as const) {
  gpuTest(`rmsNorm() matches the reference for [${rows}, ${features}]`, async (gpu) => {
    const x = noise(rows * features).map((each) => 4 * each + 3);
    const gain = makeGain(features);
    for (const deviceClass of deviceClassesOf(gpu)) {
      const { actual, padding } = await normalize(gpu, { x, features, deviceClass });
      assertClose(actual, reference.rmsNorm(x, { gain, epsilon: 1e-6 }), {}, deviceClass);
      assert(padding.every((value) => value === 0), "padding");
    }
  });
}

gpuTest("rmsNorm() adds epsilon to the mean square", async (gpu) => {
  const x = noise(2 * 5).map((each) => each * 1e-3);
  const { deviceClass } = gpu;
  const { actual } = await normalize(gpu, { x, features: 5, epsilon: 0.25, deviceClass });
  assertClose(actual, reference.rmsNorm(x, { gain: makeGain(5), epsilon: 0.25 }));
});

for (const counted of ["rows", "heads"] as const) {
  gpuTest(`rmsNorm() leaves what lies beyond the live ${counted} untouched`, async (gpu) => {
    const x = noise(4 * 5);
    const expected = reference.rmsNorm(x, { gain: makeGain(5), epsilon: 1e-6 });
    for (const deviceClass of deviceClassesOf(gpu)) {
      for (const live of [0, 3]) {
        const norm = await normalize(gpu, { x, features: 5, deviceClass, counted, live });
        assertClose(norm.actual, expected.subarray(0, live * 5));
        assert(norm.beyond.length > 0 && norm.beyond.every((value) => value === 7));
      }
    }
  });
}

gpuTest("rmsNorm() gives a row the same bits in any place", async (gpu) => {
  const x = noise(9 * 129);
  for (const deviceClass of deviceClassesOf(gpu)) {
    const all = await normalize(gpu, { x, features: 129, deviceClass });
    const last = await normalize(gpu, { x: x.subarray(8 * 129), features: 129, deviceClass });
    assertEquals(last.actual, all.actual.slice(8 * 129), deviceClass);
  }
});

gpuTest("rmsNorm() throws when the gain has another width", (gpu) => {
  using x = gpu.tensor("x", [2, 32]);
  using gain = gpu.tensor("gain", [64]);
  using counts = uploadCounts(gpu, { rows: 2 });
  const operands = { x, counts, gain, features: 32, epsilon: 1e-6 };
  assertThrows(() => rmsNorm(gpu.pass(), operands), TypeError, `"gain"`);
});
