import { assert, assertEquals, assertThrows } from "@std/assert";
import { linear } from "../../kernels/mod.ts";
import { type Gpu, Pass, type Tensor } from "../../src/gpu/mod.ts";
import { type LinearWeight, uploadLinear, type WeightFormat } from "../../src/weights/formats.ts";
import * as reference from "../reference/forward.ts";
import { assertClose, gpuTest, noise, readFloats, upload } from "../support/gpu.ts";
import {
  disguise,
  fillNextScratch,
  matrixSource,
  rounded,
  uploadCounts,
  uploadRows,
} from "./tables.ts";

const FORMATS: readonly WeightFormat[] = ["f32", "f16"];
/** One row, every edge of the tiles of 4 and 8 rows, and several tiles with a rest. */
const ROWS = [1, 2, 4, 5, 8, 9, 16, 33];
const MOST_ROWS = 33;
/** Kernels that may share the work by subgroups, where the device has them, and those that do not. */
const VARIANTS = ["own", "portable"] as const;
type Variant = typeof VARIANTS[number];

function makePass(gpu: Gpu, variant: Variant): Pass {
  return new Pass(variant === "own" ? gpu : disguise(gpu, { subgroupSize: null }));
}

interface Matrix extends Disposable {
  readonly weight: LinearWeight;
  readonly bias: Float32Array<ArrayBuffer>;
  /** x Wᵀ + bias in float64, with the weights as they are stored. */
  product(x: ArrayLike<number>): Float64Array;
}

function makeMatrix(
  gpu: Gpu,
  options: { inputs: number; outputs: number; format: WeightFormat; biasScale?: number },
): Matrix {
  const { inputs, outputs, format, biasScale = 1 } = options;
  const values = noise(outputs * inputs, 2);
  const bias = noise(outputs, 3).map((each) => each * biasScale);
  const weight = uploadLinear(gpu, matrixSource(values, inputs, bias), { name: "w", format });
  const stored = rounded(values, format);
  return {
    weight,
    bias,
    product: (x) => reference.linear(x, stored, { width: inputs, bias }),
    [Symbol.dispose]: () => weight[Symbol.dispose](),
  };
}

/** The results for the first 1, 2, 4 … rows of `x` [33, inputs], in one submission. */
async function multiplyPrefixes(
  gpu: Gpu,
  x: Float32Array,
  operands: { weight: LinearWeight; variant?: Variant; epilogue?: "none" | "gelu" | "silu" },
): Promise<Float32Array[]> {
  const { weight, variant = "own", epilogue = "none" } = operands;
  const pass = makePass(gpu, variant);
  const results = ROWS.map((rows) => {
    const operand = upload(gpu, [rows, weight.inputs], x.subarray(0, rows * weight.inputs));
    const counts = uploadCounts(gpu, { rows });
    return { operand, counts, y: linear(pass, { x: operand, weight, counts, epilogue }) };
  });
  pass.submit();
  const values = await Promise.all(results.map(({ y }) => readFloats(gpu, y)));
  results.forEach((each) => Object.values(each).forEach((tensor) => tensor[Symbol.dispose]()));
  return values;
}

// The smallest, a ragged tail of panels in the second workgroup, exactly a workgroup, a real size.
for (const [inputs, outputs] of [[8, 8], [24, 136], [256, 128], [768, 2304]] as const) {
  for (const format of FORMATS) {
    const shape = `[${outputs}, ${inputs}] ${format}`;
    gpuTest(`linear() matches the reference for ${shape}, whatever the rows`, async (gpu) => {
      using matrix = makeMatrix(gpu, { inputs, outputs, format });
      const { weight } = matrix;
      const x = noise(MOST_ROWS * inputs);
      const all = (await multiplyPrefixes(gpu, x, { weight })).at(-1)!;
      assertClose(all, matrix.product(x));
      // The same bits by every kernel for every number of rows: no result depends on its neighbours.
      for (const variant of VARIANTS) {
        const results = await multiplyPrefixes(gpu, x, { weight, variant });
        results.forEach((y, i) => {
          const differing = y.findIndex((value, at) => value !== all[at]);
          assertEquals([y.length, differing], [ROWS[i]! * outputs, -1], `${variant} ${ROWS[i]}`);
        });
      }
    });
  }
}

gpuTest("linear() gives a row the same bits in any place", async (gpu) => {
  using matrix = makeMatrix(gpu, { inputs: 40, outputs: 24, format: "f16" });
  const { weight } = matrix;
  const x = noise(MOST_ROWS * 40);
  const turned = x.map((_, i) => x[(i + 5 * 40) % x.length]!);
  for (const variant of VARIANTS) {
    const y = (await multiplyPrefixes(gpu, x, { weight, variant })).at(-1)!;
    const z = (await multiplyPrefixes(gpu, turned, { weight, variant })).at(-1)!;
    assertEquals(z, y.map((_, i) => y[(i + 5 * 24) % y.length]!), variant);
  }
});

// 2,048 rounds of 44 inner iterations: too many for a driver that counts them, unless unrolled.
gpuTest("linear() sums over very long rows", async (gpu) => {
  using matrix = makeMatrix(gpu, { inputs: 16_384, outputs: 16, format: "f16" });
  const x = noise(MOST_ROWS * 16_384);
  const expected = matrix.product(x);
  for (const variant of VARIANTS) {
    const results = await multiplyPrefixes(gpu, x, { weight: matrix.weight, variant });
    // Sums of 16,384 terms in f32.
    for (const y of results) assertClose(y, expected.subarray(0, y.length), { tolerance: 3e-5 });
  }
});

for (const epilogue of ["gelu", "silu"] as const) {
  for (const format of FORMATS) {
    gpuTest(`linear() applies ${epilogue} to ${format}, far from zero too`, async (gpu) => {
      using matrix = makeMatrix(gpu, { inputs: 40, outputs: 136, format, biasScale: 200 });
      const x = noise(MOST_ROWS * 40);
      const activate = epilogue === "gelu" ? reference.geluTanh : reference.silu;
      const expected = activate(matrix.product(x));
      for (const variant of VARIANTS) {
        const operands = { weight: matrix.weight, variant, epilogue };
        for (const y of await multiplyPrefixes(gpu, x, operands)) {
          const label = `${variant}, ${y.length / 136} rows`;
          assertClose(y, expected.subarray(0, y.length), {}, label);
          assertClose(...nearZero(y, expected), { tolerance: 1e-4 }, `${label}, near zero`);
        }
      }
    });
  }
}

/** The elements where the activation bends, which the large ones would hide. */
function nearZero(actual: Float32Array, expected: Float64Array): [number[], number[]] {
  const bends = Array.from(actual.keys()).filter((i) => Math.abs(expected[i]!) < 3);
  assert(bends.length > 0);
  return [bends.map((i) => actual[i]!), bends.map((i) => expected[i]!)];
}

const WIDTH = 136;
const GATE = 16;

for (const [conditions, format] of [[3, "f32"], [3, "f16"], [1, "f32"]] as const) {
  gpuTest(`linear() adds gated by ${conditions} conditions, ${format}`, async (gpu) => {
    using matrix = makeMatrix(gpu, { inputs: 40, outputs: WIDTH, format });
    const modulation = noise(conditions * (GATE + WIDTH), 5);
    using modulations = upload(gpu, [conditions, GATE + WIDTH], modulation);
    const x = noise(MOST_ROWS * 40);
    const before = noise(MOST_ROWS * WIDTH, 6);
    // One row of modulation serves every condition.
    using rows = uploadRows(
      gpu,
      Array.from({ length: MOST_ROWS }, (_, i) => ({ condition: (2 * i) % 3 })),
    );
    const product = matrix.product(x);
    const expected = before.map((value, i) => {
      const condition = conditions === 1 ? 0 : (2 * Math.floor(i / WIDTH)) % 3;
      return value + modulation[condition * (GATE + WIDTH) + GATE + i % WIDTH]! * product[i]!;
    });
    for (const [live, variant] of ROWS.flatMap((n) => VARIANTS.map((each) => [n, each] as const))) {
      using operand = upload(gpu, [live, 40], x.subarray(0, live * 40));
      using counts = uploadCounts(gpu, { rows: live });
      using into = upload(gpu, [live, WIDTH], before.subarray(0, live * WIDTH));
      const pass = makePass(gpu, variant);
      const epilogue = { into, rows, modulation: modulations, gate: GATE };
      const { weight } = matrix;
      assertEquals(linear(pass, { x: operand, weight, counts, epilogue }).id, into.id);
      pass.submit();
      const label = `${variant}, ${live} rows`;
      assertClose(await readFloats(gpu, into), expected.subarray(0, into.length), {}, label);
    }
  });
}

/** Multiplies with a result full of 7 before, so that what is not written shows. */
async function multiplyLive(
  gpu: Gpu,
  matrix: Matrix,
  operands: {
    x: Float32Array;
    counts: Tensor;
    counted?: "rows" | "heads";
    part?: { skip: number; rows: number };
    variant: Variant;
  },
): Promise<Float32Array> {
  const { inputs, outputs } = matrix.weight;
  const bound = operands.x.length / inputs;
  const pass = makePass(gpu, operands.variant);
  const shape = [operands.part?.rows ?? bound, outputs];
  const id = fillNextScratch(gpu, pass, { shape, value: 7 });
  using x = upload(gpu, [bound, inputs], operands.x);
  using y = linear(pass, { ...operands, x, weight: matrix.weight });
  assertEquals(y.id, id);
  pass.submit();
  return await readFloats(gpu, y);
}

for (const variant of VARIANTS) {
  for (const counted of ["rows", "heads"] as const) {
    gpuTest(
      `linear() writes no more than the live ${counted} by ${variant} kernels`,
      async (gpu) => {
        using matrix = makeMatrix(gpu, { inputs: 16, outputs: 24, format: "f32" });
        for (const bound of [1, 4, MOST_ROWS]) {
          const x = noise(bound * 16);
          const expected = matrix.product(x);
          for (const live of [0, 1, 3, 13].filter((each) => each <= bound)) {
            const other = counted === "rows" ? "heads" : "rows";
            using counts = uploadCounts(gpu, { [counted]: live, [other]: 99 });
            const y = await multiplyLive(gpu, matrix, { x, counts, counted, variant });
            const label = `${live} of ${bound}`;
            assertClose(y.subarray(0, live * 24), expected.subarray(0, live * 24), {}, label);
            assert(y.subarray(live * 24).every((value) => value === 7), label);
          }
        }
      },
    );
  }

  gpuTest(
    `linear() gives parts of the heads the bits of all by ${variant} kernels`,
    async (gpu) => {
      using matrix = makeMatrix(gpu, { inputs: 16, outputs: 24, format: "f32" });
      const x = noise(16 * 16);
      using counts = uploadCounts(gpu, { rows: 99, heads: 11 });
      const operands = { x, counts, counted: "heads", variant } as const;
      const all = await multiplyLive(gpu, matrix, operands);
      for (const [skip, rows] of [[0, 8], [8, 8], [3, 4], [10, 1], [11, 4], [12, 4]] as const) {
        const y = await multiplyLive(gpu, matrix, { ...operands, part: { skip, rows } });
        assertEquals(y, all.slice(skip * 24, (skip + rows) * 24), `${rows} from ${skip}`);
      }
    },
  );
}

gpuTest("linear() gives a matrix in parts the bits of the whole", async (gpu) => {
  const options = { inputs: 40, outputs: 296, format: "f16" } as const;
  using whole = makeMatrix(gpu, options);
  // A binding holds 137 rows; a part has whole panels.
  using split = makeMatrix(disguise(gpu, { maxStorageBufferBindingSize: 137 * 80 }), options);
  assertEquals(split.weight.parts.map(({ first, outputs }) => [first, outputs]), [
    [0, 136],
    [136, 136],
    [272, 24],
  ]);
  const x = noise(MOST_ROWS * 40);
  const expected = await multiplyPrefixes(gpu, x, whole);
  assertEquals(await multiplyPrefixes(gpu, x, split), expected);
  assertClose(expected.at(-1)!, whole.product(x));
});

gpuTest("linear() multiplies a matrix larger than the usual binding", async (gpu) => {
  // The output layer of GPT-2's vocabulary: 154 MB.
  const [inputs, outputs] = [768, 50_264];
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
  using matrix = makeMatrix(gpu, { inputs: 16, outputs: 24, format: "f32" });
  using x = gpu.tensor("x", [2, 24]);
  using counts = uploadCounts(gpu, { rows: 2 });
  const operands = { x, weight: matrix.weight, counts };
  assertThrows(() => linear(gpu.pass(), operands), TypeError, `"x": its shape is [2,24]`);
});
