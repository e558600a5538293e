/** Tables that kernels read, for tests. */
import {
  type Head,
  HEAD_WORDS,
  type Row,
  ROW_WORDS,
  writeHead,
  writeRow,
} from "../../kernels/mod.ts";
import { type DeviceClass, type Gpu, Pass, type Tensor } from "../../src/gpu/mod.ts";
import type { MatrixSource } from "../../src/weights/formats.ts";
import { uploadWords } from "../support/gpu.ts";

/** Uploads the rows of a pass; what is left out is zero. */
export function uploadRows(gpu: Gpu, rows: readonly Partial<Row>[]): Tensor {
  const words = new Uint32Array(rows.length * ROW_WORDS);
  const zero = { token: 0, position: 0, slot: 0, first: 0, end: 0, condition: 0 };
  rows.forEach((row, i) => writeRow(words, i * ROW_WORDS, { ...zero, ...row }));
  return uploadWords(gpu, words);
}

/** Uploads the heads of a pass; what is left out is zero. */
export function uploadHeads(gpu: Gpu, heads: readonly Partial<Head>[]): Tensor {
  const words = new Uint32Array(heads.length * HEAD_WORDS);
  const zero = { row: 0, offset: 0, temperature: 0, topP: 0, topK: 0, uniform: 0 };
  heads.forEach((head, i) => writeHead(words, i * HEAD_WORDS, { ...zero, ...head }));
  return uploadWords(gpu, words);
}

/** Uploads how many rows and heads live. */
export function uploadCounts(gpu: Gpu, counts: { rows?: number; heads?: number }): Tensor {
  return uploadWords(gpu, [counts.rows ?? 0, counts.heads ?? 0]);
}

/** Serves `values` [outputs, inputs] in the pieces that are asked for. */
export function matrixSource(
  values: Float32Array<ArrayBuffer>,
  inputs: number,
  bias?: Float32Array<ArrayBuffer>,
): MatrixSource {
  return {
    outputs: values.length / inputs,
    inputs,
    rows: (first, count) => values.slice(first * inputs, (first + count) * inputs),
    ...(bias && { bias }),
  };
}

/** A device like `gpu` with other properties, for what is chosen by them. */
export function disguise(
  gpu: Gpu,
  properties: { deviceClass?: DeviceClass; maxStorageBufferBindingSize?: number },
): Gpu {
  const { deviceClass, maxStorageBufferBindingSize } = properties;
  const disguised: Gpu = new Proxy(gpu, {
    get(target, name) {
      if (name === "pass") return () => new Pass(disguised);
      if (name === "deviceClass" && deviceClass !== undefined) return deviceClass;
      if (name === "limits" && maxStorageBufferBindingSize !== undefined) {
        return { maxStorageBufferBindingSize };
      }
      const value = Reflect.get(target, name, target);
      // Methods reach private fields, which a proxy has not.
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return disguised;
}

/** The classes whose kernels a device can run: all but those for subgroups that it has not. */
export function deviceClassesOf(gpu: Gpu): readonly DeviceClass[] {
  return gpu.deviceClass === "cpu with subgroups"
    ? ["cpu with subgroups", "cpu", "gpu"]
    : ["cpu", "gpu"];
}

/** A pass recorded as a device of another class records it. */
export function passOf(gpu: Gpu, deviceClass: DeviceClass): Pass {
  return disguise(gpu, { deviceClass }).pass();
}

/** Fills the scratch tensor of this shape that is lent next with `value`. */
export function fillNextScratch(
  gpu: Gpu,
  pass: Pass,
  { shape, value }: { shape: readonly number[]; value: number },
): number {
  using lent = pass.scratch("filled", shape);
  gpu.write(lent, new Float32Array(lent.length).fill(value));
  return lent.id;
}

/** `values` as the device keeps them: rounded to halves for f16. */
export function rounded(values: Float32Array, format: "f32" | "f16"): Float32Array {
  return format === "f32" ? values : Float32Array.from(new Float16Array(values));
}

/** Rows of `width` values, each followed by zeros up to `stride`. */
export function pad(
  values: ArrayLike<number>,
  width: number,
  stride: number,
): Float32Array<ArrayBuffer> {
  const padded = new Float32Array(values.length / width * stride);
  for (let i = 0; i < values.length; i++) {
    padded[Math.floor(i / width) * stride + i % width] = values[i]!;
  }
  return padded;
}
