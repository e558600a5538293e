import { type Conditions, layerNorm, layerNormBackward } from "../../../kernels/training/mod.ts";
import type { LaneSums } from "../../../kernels/training/lanes.ts";
import type { Gpu } from "../../../src/gpu/mod.ts";
import {
  layerNormBackward as referenceBackward,
  modulateBackward,
} from "../../reference/backward.ts";
import { layerNorm as referenceNorm, modulate } from "../../reference/forward.ts";
import { assertClose, gpuTest, noise, readFloats, upload, uploadWords } from "../../support/gpu.ts";
import { assertSlope } from "./slopes.ts";

interface Shape {
  readonly sequences: number;
  readonly length: number;
  readonly halves: 1 | 2;
  readonly width: number;
  readonly isShared: boolean;
  /** Rows of the pass that are normed; all where left out. */
  readonly gathered?: readonly number[];
}

const SHAPES: readonly Shape[] = [
  { sequences: 1, length: 1, halves: 1, width: 32, isShared: true },
  { sequences: 2, length: 8, halves: 2, width: 64, isShared: true },
  { sequences: 3, length: 8, halves: 2, width: 96, isShared: false },
  { sequences: 2, length: 8, halves: 2, width: 256, isShared: false, gathered: [1, 3, 6, 9, 15] },
];
const EPSILON = 1e-5;
/** Columns of the modulation: something, shift, scale. */
const [SHIFT, SCALE] = [1, 2];

for (const shape of SHAPES) {
  const { sequences, length, halves, width, isShared, gathered } = shape;
  const all = Array.from({ length: sequences * length * halves }, (_, i) => i);
  const rows = gathered ?? all;
  const x = noise(all.length * width, 1);
  const gain = noise(width, 2);
  const modulation = noise((isShared ? 1 : sequences) * 3 * width, 3);
  const dh = noise(rows.length * width, 4);
  const before = noise(all.length * width, 5);
  const conditionOf = (row: number) => isShared ? 0 : Math.floor(row / length) % sequences;
  const name = `${rows.length} of ${all.length} rows of ${width}, ` +
    (isShared ? "one condition" : "their own conditions");

  for (const laneSums of ["subgroup", "barriers"] as const) {
    gpuTest(
      `layerNorm() and its way back match the reference by ${laneSums}, ${name}`,
      async (gpu) => {
        if (laneSums === "subgroup" && gpu.deviceClass !== "cpu with subgroups") return;
        const expected = reference();
        const actual = await run(gpu, x, laneSums);
        assertClose(actual.h, expected.h, {}, "h");
        assertClose(actual.dx, expected.dx, {}, "dx");
        assertClose(actual.dGain, expected.dGain, {}, "gain");
        assertClose(actual.dModulation, expected.dModulation, {}, "modulation");
      },
    );
  }

  gpuTest(`layerNormBackward() is the slope, ${name}`, async (gpu) => {
    const { dx } = await run(gpu, x);
    const gradient = dx.map((each, i) => each - before[i]!);
    const forward = async (x: Float32Array) => (await run(gpu, x)).h;
    // The curvature of a norm of 32 values is not small.
    await assertSlope({ x, dy: dh, gradient, forward, tolerance: 1e-2 }, "x");
  });

  const run = async (gpu: Gpu, values: Float32Array, laneSums?: LaneSums) => {
    using tensorX = upload(gpu, [all.length, width], values);
    using dx = upload(gpu, [all.length, width], before);
    using tensorDh = upload(gpu, [rows.length, width], dh);
    using tensorGain = upload(gpu, [width], gain);
    using tensorModulation = upload(gpu, [isShared ? 1 : sequences, 3 * width], modulation);
    using gainGradient = upload(gpu, [width], gain);
    using dModulation = gpu.tensor("dmod", tensorModulation.shape);
    using table = uploadWords(gpu, rows);
    using starts = uploadWords(gpu, segmentStarts(rows, shape));
    const conditions: Conditions = { modulation: tensorModulation, isShared, sequences, length };
    const norm = {
      ...{ gain: tensorGain, conditions, shift: SHIFT * width, scale: SCALE * width },
      ...(gathered && { gather: { table, rows: rows.length } }),
    };
    const pass = gpu.pass();
    using normalized = layerNorm(pass, { x: tensorX, epsilon: EPSILON, ...norm }, laneSums);
    layerNormBackward(pass, {
      ...{ dh: tensorDh, x: tensorX, statistics: normalized.statistics, dx, gainGradient },
      ...{ segments: { starts, segments: starts.length - 1 }, dModulation, ...norm },
    }, laneSums);
    pass.submit();
    return {
      h: (await readFloats(gpu, normalized.h)).subarray(0, rows.length * width),
      dx: await readFloats(gpu, dx),
      dGain: await readFloats(gpu, gainGradient),
      dModulation: await readFloats(gpu, dModulation),
    };
  };

  const reference = () => {
    const h = new Float64Array(rows.length * width);
    const dx = Float64Array.from(before);
    const dGain = Float64Array.from(gain);
    const dModulation = new Float64Array(modulation.length);
    rows.forEach((row, i) => {
      const own = conditionOf(row) * 3 * width;
      const vector = (part: number) =>
        modulation.subarray(own + part * width, own + part * width + width);
      const scale = vector(SCALE);
      const factor = Float64Array.from(gain, (each, c) => each * (1 + scale[c]!));
      const source = x.subarray(row * width, (row + 1) * width);
      const normed = referenceNorm(source, { width, epsilon: EPSILON });
      h.set(modulate(normed, { gain: factor, shift: vector(SHIFT) }), i * width);
      const back = modulateBackward(dh.subarray(i * width, (i + 1) * width), normed, factor);
      referenceBackward(back.x, source, { width, epsilon: EPSILON })
        .forEach((each, c) => dx[row * width + c]! += each);
      for (let c = 0; c < width; c++) {
        dGain[c]! += back.gain[c]! * (1 + scale[c]!);
        dModulation[own + SCALE * width + c]! += back.gain[c]! * gain[c]!;
        dModulation[own + SHIFT * width + c]! += back.shift[c]!;
      }
    });
    return { h, dx, dGain, dModulation };
  };
}

/** Where the rows of every sequence's halves begin among `rows`, and the end. */
function segmentStarts(rows: readonly number[], { length }: Shape): number[] {
  const halves = Math.floor(rows.at(-1)! / length) + 1;
  const starts = Array.from({ length: halves }, (_, half) => {
    const first = rows.findIndex((row) => row >= half * length);
    return first < 0 ? rows.length : first;
  });
  return [...starts, rows.length];
}
