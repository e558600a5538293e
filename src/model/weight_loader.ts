import type { CacheFormat } from "../../kernels/mod.ts";
import type { Gpu, Tensor } from "../gpu/mod.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import {
  align,
  type Embedding,
  embeddingFormat,
  type LinearWeight,
  uploadEmbedding,
  uploadLinear,
  type WeightFormat,
} from "../weights/formats.ts";
import type { Line } from "../weights/groups.ts";
import { matrixSource } from "./matrix_source.ts";

export type { Line } from "../weights/groups.ts";

/** How a checkpoint goes to the device. */
export interface LoadOptions {
  /** Storage of the matrices. */
  readonly format: WeightFormat;
  /** Storage of keys and values; as precise as the matrices where left out. */
  readonly cacheFormat?: CacheFormat;
  /** Called with the tensors uploaded so far and all there are. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** A network whose memory is there, and what fills it. */
export interface Allocated<N> {
  readonly network: N;
  /**
   * Uploads the weights. Until then the network computes nothing of use.
   *
   * @throws {CheckpointError} If a tensor cannot be read.
   */
  fill(): void;
}

/** 0 … size - 1, then padding. */
export function paddedLines(size: number): Line[] {
  return Array.from({ length: align(size) }, (_, i) => i < size ? i : null);
}

/**
 * Components of `heads` heads, each padded to `width`.
 *
 * @param componentAt Which of a head's components comes at a place.
 */
export function headLines(
  { heads, headSize, width }: { heads: number; headSize: number; width: number },
  componentAt: (place: number) => number = (place) => place,
): Line[] {
  return Array.from({ length: heads * width }, (_, i) => {
    const place = i % width;
    return place < headSize ? Math.floor(i / width) * headSize + componentAt(place) : null;
  });
}

/** The order of a head's components in which those that rotate together lie together. */
export function pairedComponent(headSize: number): (place: number) => number {
  return (place) => Math.floor(place / 2) + place % 2 * headSize / 2;
}

/** The lines, `by` further on. */
export function moveLines(lines: readonly Line[], by: number): Line[] {
  return lines.map((line) => line === null ? null : line + by);
}

/** A matrix for the device, made of the rows of stored tensors, one below the other. */
export interface StoredMatrix {
  /** Names in the file; `biases` likewise, none where left out. */
  readonly weights: readonly string[];
  readonly biases?: readonly string[];
  /** Lines of all of them together. */
  readonly rows: readonly Line[];
  readonly columns: readonly Line[];
  /** That of the checkpoint where left out. */
  readonly format?: WeightFormat;
}

/** Allocates what the tensors of a checkpoint become, and fills it later. */
export class WeightLoader {
  readonly #gpu: Gpu;
  readonly #checkpoint: Checkpoint;
  readonly #format: WeightFormat;
  readonly #onProgress: (done: number, total: number) => void;
  readonly #uploads: (() => void)[] = [];
  /** Names of the tensors that were uploaded: a tied one goes twice. */
  readonly #done = new Set<string>();

  constructor(
    gpu: Gpu,
    checkpoint: Checkpoint,
    { format, onProgress = () => {} }: Pick<LoadOptions, "format" | "onProgress">,
  ) {
    this.#gpu = gpu;
    this.#checkpoint = checkpoint;
    this.#format = format;
    this.#onProgress = onProgress;
  }

  /** Does what was put off, in order. */
  fill(): void {
    for (const upload of this.#uploads.splice(0)) upload();
  }

  /** Puts something off until {@linkcode fill}. */
  readonly defer = (upload: () => void): void => {
    this.#uploads.push(upload);
  };

  embedding(name: string, columns: readonly Line[]): Embedding {
    const rows = Array.from({ length: this.#rowsOf(name) }, (_, i) => i);
    const source = matrixSource(this.#checkpoint, { weights: [name], rows, columns });
    const format = embeddingFormat(this.#format);
    const embedding = uploadEmbedding(this.#gpu, source, { name, format, defer: this.defer });
    this.#count([name]);
    return embedding;
  }

  linear(matrix: StoredMatrix): LinearWeight {
    const { weights, biases = [], rows, format = this.#format } = matrix;
    const bias = biases.length > 0 ? { bias: this.#readVector(biases, rows) } : {};
    const options = { name: weights[0]!, format, defer: this.defer };
    const weight = uploadLinear(
      this.#gpu,
      { ...matrixSource(this.#checkpoint, matrix), ...bias },
      options,
    );
    this.#count([...weights, ...biases]);
    return weight;
  }

  /** A vector of the lines of stored ones together, f32, zero in the padding. */
  vector(names: readonly string[], lines: readonly Line[]): Tensor {
    const vector = this.#gpu.tensor(names[0]!, [lines.length], { kind: "weights" });
    this.defer(() => this.#gpu.write(vector, this.#readVector(names, lines)));
    this.#count(names);
    return vector;
  }

  #rowsOf(name: string): number {
    return this.#checkpoint.tensors.get(name)!.shape[0]!; // Checked with the configuration.
  }

  #readVector(names: readonly string[], lines: readonly Line[]): Float32Array<ArrayBuffer> {
    const stored = names.flatMap((name) => [
      ...this.#checkpoint.readRows(name, 0, this.#rowsOf(name)),
    ]);
    return Float32Array.from(lines, (line) => line === null ? 0 : stored[line]!);
  }

  /** Tells of progress when what was put off before is done. */
  #count(names: readonly string[]): void {
    this.defer(() => {
      names.forEach((name) => this.#done.add(name));
      this.#onProgress(this.#done.size, this.#checkpoint.tensors.size);
    });
  }
}
