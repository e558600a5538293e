import { assertEquals, assertThrows } from "@std/assert";
import {
  addWeightGradient,
  matmulVariants,
  project,
  projectBackward,
} from "../../../kernels/training/matmul.ts";
import { linearBackward } from "../../reference/backward.ts";
import { linear } from "../../reference/forward.ts";
import { assertClose, gpuTest, noise, readFloats, runAndRead, upload } from "../../support/gpu.ts";
import { passOf } from "../tables.ts";
import { assertSlope } from "./slopes.ts";

// Ragged rows and columns, exactly one tile, and those of the shipped model.
const SHAPES = [[8, 8, 8], [24, 72, 40], [16, 128, 64], [64, 64, 8], [136, 256, 768]] as const;

for (const [rows, outputs, inputs] of SHAPES) {
  const shape = `[${rows}, ${inputs}] · [${outputs}, ${inputs}]`;
  const x = noise(rows * inputs, 1);
  const w = noise(outputs * inputs, 2);
  const dy = noise(rows * outputs, 3);
  const b = noise(outputs, 4);
  const expected = linearBackward(dy, x, { weight: w, width: inputs });

  gpuTest(`project() and its way back match the reference for ${shape}`, async (gpu) => {
    using tensorX = upload(gpu, [rows, inputs], x);
    using weight = upload(gpu, [outputs, inputs], w);
    using bias = upload(gpu, [outputs], b);
    using tensorDy = upload(gpu, [rows, outputs], dy);
    const results = [];
    for (const variant of matmulVariants(gpu.deviceClass)) {
      const y = await runAndRead(
        gpu,
        (pass) => project(pass, { x: tensorX, weight, bias }, variant),
      );
      assertClose(y, linear(x, w, { width: inputs, bias: b }), {}, `${variant.name} y`);
      const dx = await runAndRead(
        gpu,
        (pass) => projectBackward(pass, { dy: tensorDy, weight }, variant),
      );
      assertClose(dx, expected.x, {}, `${variant.name} dx`);
      using gradient = upload(gpu, [outputs, inputs], w);
      const dw = await runAndRead(gpu, (pass) => {
        addWeightGradient(pass, { dy: tensorDy, x: tensorX, gradient }, variant);
        return gradient;
      });
      assertClose(dw, expected.weight.map((each, i) => each + w[i]!), {}, `${variant.name} dw`);
      results.push([...y, ...dx, ...dw]);
    }
    for (const result of results) assertEquals(result, results[0]);
  });

  gpuTest(`projectBackward() and addWeightGradient() are slopes for ${shape}`, async (gpu) => {
    const forward = (values: { x: Float32Array; w: Float32Array }) =>
      runAndRead(gpu, (pass) => {
        const operands = {
          x: upload(gpu, [rows, inputs], values.x),
          weight: upload(gpu, [outputs, inputs], values.w),
        };
        return project(pass, operands);
      });
    using tensorX = upload(gpu, [rows, inputs], x);
    using weight = upload(gpu, [outputs, inputs], w);
    using tensorDy = upload(gpu, [rows, outputs], dy);
    const dx = await runAndRead(gpu, (pass) => projectBackward(pass, { dy: tensorDy, weight }));
    await assertSlope({ x, dy, gradient: dx, forward: (x) => forward({ x, w }) }, "x");
    const dw = await runAndRead(gpu, (pass) => {
      const gradient = gpu.tensor("gradient", [outputs, inputs]);
      addWeightGradient(pass, { dy: tensorDy, x: tensorX, gradient });
      return gradient;
    });
    await assertSlope({ x: w, dy, gradient: dw, forward: (w) => forward({ x, w }) }, "weight");
  });
}

gpuTest("products take some rows of their operands and leave the others", async (gpu) => {
  const [rows, outputs, inputs] = [24, 8, 16];
  const x = noise(rows * inputs, 1);
  const w = noise(outputs * inputs, 2);
  const dy = noise(16 * outputs, 3);
  using tensorX = upload(gpu, [rows, inputs], x);
  using weight = upload(gpu, [outputs, inputs], w);
  using tensorDy = upload(gpu, [16, outputs], dy);
  const y = await runAndRead(
    gpu,
    (pass) => project(pass, { x: tensorX, weight, part: { first: 8, rows: 8 } }),
  );
  const part = x.subarray(8 * inputs, 16 * inputs);
  assertClose(y, linear(part, w, { width: inputs }));

  const own = dy.subarray(0, 8 * outputs);
  const expected = linearBackward(own, part, { weight: w, width: inputs });
  using into = upload(gpu, [rows, inputs], x);
  const pass = gpu.pass();
  projectBackward(pass, { dy: tensorDy, weight, rows: 8, into, first: 8, accumulates: true });
  using gradient = gpu.tensor("gradient", [outputs, inputs]);
  addWeightGradient(pass, { dy: tensorDy, x: tensorX, gradient, rows: 8, first: 8 });
  pass.submit();
  const sums = x.slice();
  expected.x.forEach((each, i) => sums[8 * inputs + i]! += each);
  assertClose(await readFloats(gpu, into), sums, {}, "dx");
  assertClose(await readFloats(gpu, gradient), expected.weight, {}, "dw");
});

gpuTest("addWeightGradient() adds slices of many rows on a GPU", async (gpu) => {
  // Two slices and a rest, from the second step on.
  const [rows, outputs, inputs, first] = [2 * 1024 + 24, 24, 72, 8];
  const x = noise((first + rows) * inputs, 1);
  const dy = noise(rows * outputs, 2);
  const before = noise(outputs * inputs, 3);
  using tensorX = upload(gpu, [first + rows, inputs], x);
  using tensorDy = upload(gpu, [rows, outputs], dy);
  using gradient = upload(gpu, [outputs, inputs], before);
  const weight = new Float32Array(outputs * inputs);
  const expected = linearBackward(dy, x.subarray(first * inputs), { weight, width: inputs });
  const pass = passOf(gpu, "gpu");
  const [tiled] = matmulVariants("gpu");
  addWeightGradient(pass, { dy: tensorDy, x: tensorX, gradient, first }, tiled);
  pass.submit();
  const sums = expected.weight.map((each, i) => each + before[i]!);
  assertClose(await readFloats(gpu, gradient), sums);
});

gpuTest("addWeightGradient() throws when rows are no whole steps", (gpu) => {
  using dy = gpu.tensor("dy", [12, 8]);
  using x = gpu.tensor("x", [12, 8]);
  using gradient = gpu.tensor("gradient", [8, 8]);
  assertThrows(() => addWeightGradient(gpu.pass(), { dy, x, gradient }), TypeError, "12 long");
});
