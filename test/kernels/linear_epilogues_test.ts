import { assert, assertEquals, assertThrows } from "@std/assert";
import { linear } from "../../kernels/mod.ts";
import type { DeviceClass, Gpu } from "../../src/gpu/mod.ts";
import type { WeightFormat } from "../../src/weights/formats.ts";
import * as reference from "../reference/forward.ts";
import { assertClose, gpuTest, noise, readFloats, upload } from "../support/gpu.ts";
import {
  assertPrefixes,
  FORMATS,
  makeMatrix,
  MOST_ROWS,
  multiplyPrefixes,
  ROWS,
} from "./matrices.ts";
import { deviceClassesOf, passOf, uploadCounts, uploadHeads, uploadRows } from "./tables.ts";

/** Rows to multiply: by every kernel there is with f32, by one of each device class with others. */
function prefixesFor(format: WeightFormat): readonly number[] {
  return format === "f32" ? ROWS : [5];
}

for (const epilogue of ["gelu", "silu"] as const) {
  for (const format of FORMATS) {
    gpuTest(`linear() applies ${epilogue} to ${format}, far from zero too`, async (gpu) => {
      using matrix = makeMatrix(gpu, { inputs: 64, outputs: 160, format, biasScale: 200 });
      const x = noise(MOST_ROWS * 64);
      const activate = epilogue === "gelu" ? reference.geluTanh : reference.silu;
      const expected = activate(matrix.product(x));
      for (const deviceClass of deviceClassesOf(gpu)) {
        const prefixes = prefixesFor(format);
        const operands = { weight: matrix.weight, deviceClass, epilogue, prefixes };
        for (const y of await multiplyPrefixes(gpu, x, operands)) {
          const label = `${deviceClass}, ${y.length / 160} rows`;
          assertClose(y, expected.subarray(0, y.length), {}, label);
          assertClose(...nearZero(y, expected), { tolerance: 1e-4 }, `${label}, near zero`);
        }
      }
    });
  }
}

for (const format of FORMATS) {
  gpuTest(`linear() gates what ${format} lets through, far from zero too`, async (gpu) => {
    using matrix = makeMatrix(gpu, { inputs: 64, outputs: 192, format, biasScale: 200 });
    const x = noise(MOST_ROWS * 64);
    const product = matrix.product(x);
    const gates = reference.silu(product.filter((_, i) => i % 2 === 0));
    const expected = gates.map((gate, i) => gate * product[2 * i + 1]!);
    for (const deviceClass of deviceClassesOf(gpu)) {
      const prefixes = prefixesFor(format);
      const operands = {
        weight: matrix.weight,
        deviceClass,
        epilogue: "swiglu",
        prefixes,
      } as const;
      const results = await multiplyPrefixes(gpu, x, operands);
      assertPrefixes(results, results.at(-1)!, deviceClass);
      for (const [i, y] of results.entries()) {
        assertEquals(y.length, prefixes[i]! * 96);
        const label = `${deviceClass}, ${prefixes[i]} rows`;
        assertClose(y, expected.subarray(0, y.length), {}, label);
        assertClose(...nearZero(y, expected), { tolerance: 1e-4 }, `${label}, near zero`);
      }
    }
  });
}

/** The elements where the activation bends, which the large ones would hide. */
function nearZero(actual: Float32Array, expected: Float64Array): [number[], number[]] {
  const bends = Array.from(actual.keys()).filter((i) => Math.abs(expected[i]!) < 3);
  assert(bends.length > 0);
  return [bends.map((i) => actual[i]!), bends.map((i) => expected[i]!)];
}

const INPUTS = 64;
/** One tile beyond groups of three, and two: what lies behind the last must stay as it is. */
const WIDTHS = { f32: 128, f16: 160, int8: 160, int4: 160 } as const;
const GATE = 32;

/** Which rows a residual is added for, and where to. */
const TARGETS = ["rows", "gathered rows of heads", "rows of heads"] as const;

/** Pass row of head `head`: in no order, some of them twice, beyond the heads too. */
function rowOf(head: number): number {
  return (head * 37 + 11) % 90;
}

interface Gated {
  readonly target: typeof TARGETS[number];
  /** 0 without a gate. */
  readonly conditions: number;
  readonly width: number;
}

/** Operands of noise on the host, and what comes of them in float64. */
function expectGated(
  { target, conditions, width }: Gated,
  product: Float64Array,
): { modulation: Float32Array; into: Float32Array; expected: Float32Array } {
  const modulation = noise(conditions * (GATE + width), 5);
  // All rows of the pass where the heads pick theirs.
  const into = noise((target === "rows of heads" ? 90 : MOST_ROWS) * width, 6);
  const expected = Float32Array.from(product, (value, i) => {
    const [row, column] = [Math.floor(i / width), i % width];
    const ofPass = target === "rows" ? row : rowOf(row);
    const level = conditions === 1 ? 0 : conditionOf(ofPass);
    const gate = conditions === 0 ? 1 : modulation[level * (GATE + width) + GATE + column]!;
    return into[(target === "rows of heads" ? ofPass : row) * width + column]! + gate * value;
  });
  return { modulation, into, expected };
}

function conditionOf(row: number): number {
  return (2 * row) % 3;
}

/** Adds for the first `live` rows of `x`, and as many heads; gives the result, read. */
async function addGated(
  gpu: Gpu,
  { target, width }: Gated,
  operands: {
    matrix: ReturnType<typeof makeMatrix>;
    x: Float32Array;
    host: ReturnType<typeof expectGated>;
    conditions: number;
    live: number;
    deviceClass: DeviceClass;
  },
): Promise<Float32Array> {
  const { matrix: { weight }, x, host, conditions, live, deviceClass } = operands;
  const length = target === "rows of heads" ? 90 : live;
  using operand = upload(gpu, [live, INPUTS], x.subarray(0, live * INPUTS));
  using into = upload(gpu, [length, width], host.into.subarray(0, length * width));
  using modulation = upload(gpu, [conditions, GATE + width], host.modulation);
  using rows = uploadRows(
    gpu,
    Array.from({ length: 90 }, (_, row) => ({ condition: conditionOf(row) })),
  );
  using table = uploadHeads(gpu, Array.from({ length: live }, (_, head) => ({ row: rowOf(head) })));
  const counted = target === "rows" ? "rows" : "heads";
  using counts = uploadCounts(gpu, { rows: 90, heads: 90, [counted]: live });
  const heads = { table, isGathered: target === "gathered rows of heads" };
  const pass = passOf(gpu, deviceClass);
  const residual = { into, rows, ...(target !== "rows" && { heads }) };
  const y = linear(pass, {
    ...{ x: operand, weight, counts, counted },
    epilogue: conditions === 0
      ? { type: "residual", ...residual }
      : { type: "gated", ...residual, modulation, gate: GATE },
  });
  assertEquals(y.id === into.id, target !== "rows of heads", "in place");
  using _ = y;
  pass.submit();
  if (target === "rows of heads") assertEquals(await readFloats(gpu, into), host.into);
  return (await readFloats(gpu, y)).subarray(0, y.length);
}

for (const target of TARGETS) {
  for (
    const [conditions, format] of [
      ...[[3, "f32"], [3, "f16"], [3, "int8"], [3, "int4"], [1, "f32"]] as const,
      ...[[0, "f32"], [0, "f16"], [0, "int8"], [0, "int4"]] as const,
    ]
  ) {
    const how = conditions === 0 ? "without a gate" : `gated by ${conditions} conditions`;
    const name = `linear() adds to ${target}, ${how}, ${format}`;
    gpuTest(name, async (gpu) => {
      const width = WIDTHS[format];
      using matrix = makeMatrix(gpu, { inputs: INPUTS, outputs: width, format });
      const x = noise(MOST_ROWS * INPUTS);
      const gated = { target, conditions, width };
      const host = expectGated(gated, matrix.product(x));
      for (const deviceClass of deviceClassesOf(gpu)) {
        for (const live of conditions === 1 ? [5] : prefixesFor(format)) {
          const operands = { matrix, x, host, conditions, live, deviceClass };
          const y = await addGated(gpu, gated, operands);
          const label = `${deviceClass}, ${live} rows`;
          assertEquals(y.length, live * width, label);
          assertClose(y, host.expected.subarray(0, y.length), {}, label);
        }
      }
    });
  }
}

gpuTest("linear() throws when a residual is not as wide as the result", (gpu) => {
  using matrix = makeMatrix(gpu, { inputs: 32, outputs: 32, format: "f32" });
  using x = gpu.tensor("x", [2, 32]);
  using into = gpu.tensor("into", [2, 64]);
  using modulation = gpu.tensor("modulation", [1, 64]);
  using rows = uploadRows(gpu, [{}, {}]);
  using table = uploadHeads(gpu, [{}, {}]);
  using counts = uploadCounts(gpu, { rows: 2, heads: 2 });
  const gated = { type: "gated", into, rows, modulation, gate: 0 } as const;
  const operands = { x, weight: matrix.weight, counts };
  for (const epilogue of [gated, { ...gated, heads: { table, isGathered: false } }]) {
    const run = () => linear(gpu.pass(), { ...operands, epilogue });
    assertThrows(run, TypeError, "its shape is [2,64]");
  }
});
