import { assert, assertEquals, assertThrows } from "@std/assert";
import { chooseLinear, linearKernel, variantsOf } from "../../kernels/linear_variants.ts";
import { linear } from "../../kernels/mod.ts";
import { uploadLinear } from "../../src/weights/formats.ts";
import * as reference from "../reference/forward.ts";
import { assertClose, gpuTest, noise, readFloats, upload } from "../support/gpu.ts";
import {
  assertPrefixes,
  FORMATS,
  makeMatrix,
  MOST_ROWS,
  multiplyLive,
  multiplyPrefixes,
  ROWS,
} from "./matrices.ts";
import { deviceClassesOf, disguise, fillNextScratch, passOf, uploadCounts } from "./tables.ts";

// The smallest, ragged tails of tiles in a workgroup and in the second one, exactly a workgroup, a
// real size.
const SHAPES = [[32, 32], [96, 96], [64, 160], [32, 288], [256, 128], [768, 2304]] as const;

for (const [inputs, outputs] of SHAPES) {
  for (const format of FORMATS) {
    const shape = `[${outputs}, ${inputs}] ${format}`;
    gpuTest(`linear() matches the reference for ${shape}, whatever the rows`, async (gpu) => {
      const x = noise(MOST_ROWS * inputs);
      let expected: Float64Array | undefined;
      let ofCpu: Float32Array | undefined;
      for (const deviceClass of deviceClassesOf(gpu)) {
        // As devices of the kind keep it.
        const uploader = disguise(gpu, { deviceClass });
        using matrix = makeMatrix(uploader, { inputs, outputs, format });
        expected ??= matrix.product(x);
        const results = await multiplyPrefixes(gpu, x, { weight: matrix.weight, deviceClass });
        assertEquals(results.map(({ length }) => length), ROWS.map((rows) => rows * outputs));
        const all = results.at(-1)!;
        assertClose(all, expected, {}, deviceClass);
        // The same bits for every number of rows: no result depends on its neighbours.
        assertPrefixes(results, all, deviceClass);
        if (deviceClass === "gpu") continue;
        // And with subgroups or without.
        assertPrefixes([all], ofCpu ??= all, "all kernels for CPUs");
      }
    });
  }
}

gpuTest("linear() gives a row the same bits in any place", async (gpu) => {
  for (const format of FORMATS) {
    using matrix = makeMatrix(gpu, { inputs: 64, outputs: 32, format });
    const x = noise(MOST_ROWS * 64);
    const turned = x.map((_, i) => x[(i + 5 * 64) % x.length]!);
    for (const deviceClass of deviceClassesOf(gpu)) {
      const operands = { weight: matrix.weight, deviceClass };
      const y = (await multiplyPrefixes(gpu, x, operands)).at(-1)!;
      const z = (await multiplyPrefixes(gpu, turned, operands)).at(-1)!;
      assertEquals(z, y.map((_, i) => y[(i + 5 * 32) % y.length]!), deviceClass);
    }
  }
});

// 2,048 rounds of many inner iterations: too many for a driver that counts them, unless unrolled.
for (const format of FORMATS) {
  gpuTest(`linear() sums over very long rows of ${format}`, async (gpu) => {
    using matrix = makeMatrix(gpu, { inputs: 16_384, outputs: 32, format });
    const x = noise(MOST_ROWS * 16_384);
    const expected = matrix.product(x);
    for (const deviceClass of deviceClassesOf(gpu)) {
      const results = await multiplyPrefixes(gpu, x, { weight: matrix.weight, deviceClass });
      // Sums of 16,384 terms in f32.
      assertClose(results.at(-1)!, expected, { tolerance: 3e-5 }, deviceClass);
      assertPrefixes(results, results.at(-1)!, deviceClass);
    }
  });
}

// Blocks of zeros, of one value, tiny ones and large ones, with one outlier or none. Halves reach
// less far.
const BLOCK_SCALES = { int8: [0, 1e-20, 1, 1e6], int4: [0, 1e-2, 1, 1e3] } as const;

for (const format of ["int8", "int4"] as const) {
  gpuTest(`linear() keeps blocks of ${format} apart, whatever their scales`, async (gpu) => {
    const [inputs, outputs] = [96, 32];
    const scales = BLOCK_SCALES[format];
    const values = noise(outputs * inputs, 2).map((each, i) => {
      const block = Math.floor(i / 32);
      return scales[block % 4]! *
        (block % 5 === 0 ? -1 : block % 7 === 0 && i % 32 === 9 ? 30 : each);
    });
    using matrix = makeMatrix(gpu, { inputs, outputs, format, biasScale: 0, values });
    using counts = uploadCounts(gpu, { rows: 3 });
    for (const deviceClass of deviceClassesOf(gpu)) {
      // One block of the inputs at a time: large results would hide small ones.
      for (const block of [0, 1, 2]) {
        const x = noise(3 * inputs).map((each, i) =>
          Math.floor(i % inputs / 32) === block ? each : 0
        );
        const y = await multiplyLive(gpu, matrix, { x, counts, deviceClass });
        const expected = matrix.product(x);
        for (const [i, scale] of scales.entries()) {
          const isOf = (_: number, at: number) => (at % outputs * 3 + block) % 4 === i;
          const label = `${deviceClass}, block ${block}, ${scale}`;
          assertClose(y.filter(isOf), expected.filter(isOf), {}, label);
        }
      }
    }
  });
}

for (const format of ["int8", "int4"] as const) {
  for (const value of [NaN, Infinity]) {
    gpuTest(`linear() does not lose a weight of ${value} in ${format}`, async (gpu) => {
      const values = noise(32 * 64).fill(value, 3 * 64 + 40, 3 * 64 + 41);
      using matrix = makeMatrix(gpu, { inputs: 64, outputs: 32, format, values });
      using counts = uploadCounts(gpu, { rows: 1 });
      for (const deviceClass of deviceClassesOf(gpu)) {
        const y = await multiplyLive(gpu, matrix, { x: noise(64), counts, deviceClass });
        assertEquals([...y.keys()].filter((n) => !Number.isFinite(y[n])), [3], deviceClass);
      }
    });
  }
}

for (const counted of ["rows", "heads"] as const) {
  gpuTest(`linear() writes no more than the live ${counted}`, async (gpu) => {
    using matrix = makeMatrix(gpu, { inputs: 32, outputs: 96, format: "f32" });
    for (const deviceClass of deviceClassesOf(gpu)) {
      for (const bound of [1, 4, MOST_ROWS]) {
        const x = noise(bound * 32);
        const expected = matrix.product(x);
        for (const live of [0, 1, 3, 13, 66].filter((each) => each <= bound)) {
          const other = counted === "rows" ? "heads" : "rows";
          using counts = uploadCounts(gpu, { [counted]: live, [other]: 99 });
          const y = await multiplyLive(gpu, matrix, { x, counts, counted, deviceClass });
          const label = `${live} of ${bound}, ${deviceClass}`;
          assertClose(y.subarray(0, live * 96), expected.subarray(0, live * 96), {}, label);
          assert(y.subarray(live * 96).every((value) => value === 7), label);
        }
      }
    }
  });
}

gpuTest("linear() gives parts of the heads the bits of all", async (gpu) => {
  using matrix = makeMatrix(gpu, { inputs: 32, outputs: 96, format: "f32" });
  const x = noise(MOST_ROWS * 32);
  using counts = uploadCounts(gpu, { rows: 99, heads: 67 });
  const parts = [[0, 8], [8, 8], [3, 4], [3, 67], [66, 1], [67, 3], [68, 2], [20, 50]] as const;
  for (const deviceClass of deviceClassesOf(gpu)) {
    const operands = { x, counts, counted: "heads", deviceClass } as const;
    const all = await multiplyLive(gpu, matrix, operands);
    for (const [skip, rows] of parts) {
      const y = await multiplyLive(gpu, matrix, { ...operands, part: { skip, rows } });
      assertEquals(y, all.slice(skip * 96, (skip + rows) * 96), `${rows} from ${skip}`);
    }
  }
});

for (const [format, bytes] of [["f32", 4], ["f16", 2], ["int8", 1], ["int4", 0.5]] as const) {
  gpuTest(`linear() gives a matrix of ${format} in parts the bits of the whole`, async (gpu) => {
    const options = { inputs: 64, outputs: 288, format };
    using whole = makeMatrix(gpu, options);
    // A binding holds 140 rows; a part has whole tiles.
    const limit = { maxStorageBufferBindingSize: 140 * 64 * bytes };
    using split = makeMatrix(disguise(gpu, limit), options);
    assertEquals(split.weight.parts.map(({ first, outputs }) => [first, outputs]), [
      [0, 128],
      [128, 128],
      [256, 32],
    ]);
    const x = noise(MOST_ROWS * 64);
    for (const deviceClass of deviceClassesOf(gpu)) {
      const expected = await multiplyPrefixes(gpu, x, { weight: whole.weight, deviceClass });
      const found = await multiplyPrefixes(gpu, x, { weight: split.weight, deviceClass });
      assertEquals(found, expected);
      assertClose(expected.at(-1)!, whole.product(x));
    }
  });
}

for (const format of ["f16", "int8", "int4"] as const) {
  gpuTest(`linear() multiplies ${format} that was uploaded in two pieces`, async (gpu) => {
    // A piece of 8 MiB has 8,192 rows of 256 floats.
    using matrix = makeMatrix(gpu, { inputs: 256, outputs: 8192 + 64, format });
    const x = noise(256);
    const operands = { weight: matrix.weight, deviceClass: gpu.deviceClass, prefixes: [1] };
    const [y] = await multiplyPrefixes(gpu, x, operands);
    assertClose(y!, matrix.product(x));
  });
}

gpuTest("linear() multiplies a matrix larger than the usual binding", async (gpu) => {
  // The output layer of GPT-2's vocabulary: 155 MB.
  const [inputs, outputs] = [768, 50_272];
  // Rows come again after a prime number of them, which no part begins with.
  const period = 1021;
  const values = noise(period * inputs, 2);
  const rows = (first: number, count: number) => {
    const copied = new Float32Array(count * inputs);
    for (let i = 0; i < count; i++) {
      const from = (first + i) % period * inputs;
      copied.set(values.subarray(from, from + inputs), i * inputs);
    }
    return copied;
  };
  using weight = uploadLinear(gpu, { inputs, outputs, rows }, { name: "large", format: "f32" });
  const x = noise(inputs);
  using operand = upload(gpu, [1, inputs], x);
  using counts = uploadCounts(gpu, { rows: 1 });
  const pass = gpu.pass();
  using y = linear(pass, { x: operand, weight, counts });
  pass.submit();
  const expected = reference.linear(x, values, { width: inputs });
  const actual = await readFloats(gpu, y);
  assertClose(actual, Float64Array.from(actual, (_, n) => expected[n % period]!));
});

gpuTest("linear() throws when x is not as wide as the weight's inputs", (gpu) => {
  using matrix = makeMatrix(gpu, { inputs: 32, outputs: 32, format: "f32" });
  using x = gpu.tensor("x", [2, 64]);
  using counts = uploadCounts(gpu, { rows: 2 });
  const operands = { x, weight: matrix.weight, counts };
  assertThrows(() => linear(gpu.pass(), operands), TypeError, `"x": its shape is [2,64]`);
});

Deno.test("linearKernel() refuses tiles that lie in another order than its variant reads", () => {
  const [variant] = variantsOf("cpu with subgroups");
  assertThrows(
    () => linearKernel(variant!, { format: "f32", order: "lanes", epilogue: "none" }),
    TypeError,
    "tiles lie by lanes, expected by rows",
  );
});

// What the tests above say of a device's variants they say of every one: none goes without rows.
gpuTest("the rows of these tests reach every variant of every kind of device", ({ device }) => {
  for (const deviceClass of ["cpu with subgroups", "cpu", "gpu"] as const) {
    const reached = new Set(ROWS.map((rows) => chooseLinear({ deviceClass, device }, rows)));
    assertEquals(reached, new Set(variantsOf(deviceClass)), deviceClass);
  }
});

gpuTest("linear() writes nothing behind its rows, however many live", async (gpu) => {
  using matrix = makeMatrix(gpu, { inputs: 32, outputs: 64, format: "f32" });
  const data = noise(MOST_ROWS * 32);
  const expected = matrix.product(data);
  using x = upload(gpu, [MOST_ROWS, 32], data);
  using counts = uploadCounts(gpu, { rows: MOST_ROWS });
  for (const deviceClass of deviceClassesOf(gpu)) {
    // More rows of the result than its part, in one buffer with what the pool lends.
    for (const [rows, shape] of [[1, [1024]], [5, [1024]], [33, [4096]]] as const) {
      const pass = passOf(gpu, deviceClass);
      const id = fillNextScratch(gpu, pass, { shape, value: 7 });
      {
        const part = { skip: 3, rows };
        using y = linear(pass, { x, weight: matrix.weight, counts, part });
        assertEquals(y.id, id);
        pass.submit();
      }
      using all = pass.scratch("all", shape);
      assertEquals(all.id, id);
      const values = await readFloats(gpu, all);
      const label = `${rows} rows, ${deviceClass}`;
      assertClose(
        values.subarray(0, rows * 64),
        expected.slice(3 * 64, (3 + rows) * 64),
        {},
        label,
      );
      assert(values.subarray(rows * 64).every((value) => value === 7), label);
    }
  }
});
