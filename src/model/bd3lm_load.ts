import { type CacheFormat, paddedHeadSize } from "../../kernels/mod.ts";
import type { Gpu, Tensor } from "../gpu/mod.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import {
  align,
  embeddingFormat,
  type LinearWeight,
  type MatrixSource,
  uploadEmbedding,
  uploadLinear,
  type WeightFormat,
} from "../weights/formats.ts";
import type { Line } from "../weights/groups.ts";
import { storedSource } from "./stored_source.ts";
import { Bd3lm, type Bd3lmLayer } from "./bd3lm.ts";
import {
  Conditioner,
  type Conditioning,
  noConditioning,
  TIMESTEP_HALF,
} from "./bd3lm_conditioning.ts";
import type { Bd3lmConfig } from "./bd3lm_config.ts";
import { cacheFormatFor } from "./kv_cache.ts";

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

/** Allocates and fills a BD3-LM: see {@linkcode allocateBd3lm}. */
export function loadBd3lm(
  gpu: Gpu,
  checkpoint: Checkpoint,
  options: LoadOptions & { readonly config: Bd3lmConfig },
): Bd3lm {
  const { network, fill } = allocateBd3lm(gpu, checkpoint, options);
  fill();
  return network;
}

/**
 * Allocates a BD3-LM. Widths are padded with zeros to multiples of 32 and heads to a size that the
 * kernels know; sums are not changed by that. A constant conditioning is computed once, by `fill`.
 *
 * @throws {CheckpointError} If a bias cannot be read.
 */
export function allocateBd3lm(
  gpu: Gpu,
  checkpoint: Checkpoint,
  { config, format, cacheFormat = cacheFormatFor(format), onProgress }: LoadOptions & {
    readonly config: Bd3lmConfig;
  },
): Allocated<Bd3lm> {
  const loader = new Loader(gpu, checkpoint, {
    config,
    format,
    onProgress: onProgress ?? (() => {}),
  });
  const weights = {
    embedding: loader.embedding(),
    layers: Array.from({ length: config.layers }, (_, i) => loader.layer(i)),
    normFinal: loader.vector("backbone.output_layer.norm_final.weight"),
    output: loader.output(),
    conditioning: loader.conditioning(),
  };
  return {
    network: new Bd3lm(gpu, config, { weights, cacheFormat }),
    fill: () => loader.fill(),
  };
}

class Loader {
  readonly #gpu: Gpu;
  readonly #checkpoint: Checkpoint;
  readonly #config: Bd3lmConfig;
  readonly #format: WeightFormat;
  readonly #onProgress: (done: number, total: number) => void;
  readonly #features: Line[];
  readonly #uploads: (() => void)[] = [];
  #done = 0;

  constructor(
    gpu: Gpu,
    checkpoint: Checkpoint,
    options: Required<Pick<LoadOptions, "format" | "onProgress">> & {
      readonly config: Bd3lmConfig;
    },
  ) {
    this.#gpu = gpu;
    this.#checkpoint = checkpoint;
    this.#config = options.config;
    this.#format = options.format;
    this.#onProgress = options.onProgress;
    this.#features = padded(options.config.hiddenSize);
  }

  /** Does what was put off, in order. */
  fill(): void {
    for (const upload of this.#uploads.splice(0)) upload();
  }

  embedding() {
    const name = "backbone.vocab_embed.embedding";
    const format = embeddingFormat(this.#format);
    const source = this.#source(name, {
      rows: Array.from({ length: this.#config.vocabSize }, (_, i) => i),
      columns: this.#features,
    });
    const embedding = uploadEmbedding(this.#gpu, source, { name, format, defer: this.#defer });
    this.#count(1);
    return embedding;
  }

  layer(index: number): Bd3lmLayer {
    const name = `backbone.blocks.${index}`;
    const features = this.#features;
    const inner = padded(4 * this.#config.hiddenSize);
    const heads = this.#headLines((component) => component);
    const { hiddenSize, headSize } = this.#config;
    // What rotates together lies together.
    const paired = this.#headLines((i) => Math.floor(i / 2) + i % 2 * headSize / 2);
    const qkv = [paired, paired, heads].flatMap((lines, part) =>
      lines.map((line) => line === null ? null : part * hiddenSize + line)
    );
    return {
      norm1: this.vector(`${name}.norm1.weight`),
      norm2: this.vector(`${name}.norm2.weight`),
      qkv: this.#linear(`${name}.attn_qkv`, { rows: qkv, columns: features }),
      attentionOut: this.#linear(`${name}.attn_out`, { rows: features, columns: heads }),
      up: this.#linear(`${name}.mlp.0`, { rows: inner, columns: features, hasBias: true }),
      down: this.#linear(`${name}.mlp.2`, { rows: features, columns: inner, hasBias: true }),
    };
  }

  output(): LinearWeight {
    const rows = padded(this.#config.vocabSize);
    const name = "backbone.output_layer.linear";
    return this.#linear(name, { rows, columns: this.#features, hasBias: true });
  }

  /** A vector of the hidden size, zero in the padding. */
  vector(name: string): Tensor {
    const vector = this.#gpu.tensor(name, [this.#features.length], { kind: "weights" });
    this.#defer(() => {
      this.#gpu.write(vector, this.#checkpoint.readRows(name, 0, this.#config.hiddenSize));
    });
    this.#count(1);
    return vector;
  }

  /** Depends on the noise level only with time conditioning; else it is that of level 0. */
  conditioning(): Conditioning {
    const { adaln, timeConditioning, layers } = this.#config;
    if (!adaln) return noConditioning(this.#gpu, { layers, width: this.#features.length });
    const conditioner = this.#conditioner();
    if (timeConditioning) return conditioner;
    const { conditioning, compute } = conditioner.freeze(this.#gpu);
    this.#defer(() => {
      using _ = conditioner;
      compute();
    });
    return conditioning;
  }

  /** In f32: it is small, and what it gives touches every value. */
  #conditioner(): Conditioner {
    const { condSize, layers, hiddenSize } = this.#config;
    const condition = padded(condSize);
    const sinusoid = padded(2 * TIMESTEP_HALF);
    const dense = (name: string, rows: Line[], columns: Line[]) =>
      this.#linear(name, { rows, columns, hasBias: true, format: "f32" });
    const project = (name: string, parts: number) => {
      const rows = Array.from(
        { length: parts },
        (_, part) => this.#features.map((line) => line === null ? null : part * hiddenSize + line),
      ).flat();
      return dense(`${name}.adaLN_modulation`, rows, condition);
    };
    return new Conditioner(this.#gpu, {
      mlp: [
        dense("backbone.sigma_map.mlp.0", condition, sinusoid),
        dense("backbone.sigma_map.mlp.2", condition, condition),
      ],
      layers: Array.from({ length: layers }, (_, i) => project(`backbone.blocks.${i}`, 6)),
      final: project("backbone.output_layer", 2),
    });
  }

  /**
   * Components of all heads, each padded to the size that the kernels take.
   *
   * @param componentAt Which of a head's components comes at a place.
   */
  #headLines(componentAt: (place: number) => number): Line[] {
    const { heads, headSize } = this.#config;
    const width = paddedHeadSize(headSize);
    return Array.from({ length: heads * width }, (_, i) => {
      const place = i % width;
      return place < headSize ? Math.floor(i / width) * headSize + componentAt(place) : null;
    });
  }

  #linear(
    name: string,
    matrix: { rows: Line[]; columns: Line[]; hasBias?: boolean; format?: WeightFormat },
  ): LinearWeight {
    const { rows, columns, hasBias = false, format = this.#format } = matrix;
    const source = this.#source(`${name}.weight`, { rows, columns });
    const bias = hasBias ? { bias: this.#bias(`${name}.bias`, rows) } : {};
    const options = { name, format, defer: this.#defer };
    const weight = uploadLinear(this.#gpu, { ...source, ...bias }, options);
    this.#count(hasBias ? 2 : 1);
    return weight;
  }

  #bias(name: string, lines: readonly Line[]): Float32Array<ArrayBuffer> {
    const stored = this.#checkpoint.readRows(
      name,
      0,
      this.#checkpoint.tensors.get(name)!.shape[0]!,
    );
    return Float32Array.from(lines, (line) => line === null ? 0 : stored[line]!);
  }

  #source(name: string, { rows, columns }: { rows: Line[]; columns: Line[] }): MatrixSource {
    const inputs = columns.length;
    const stored = storedSource(this.#checkpoint, name, { rows, columns });
    return {
      outputs: rows.length,
      inputs,
      ...(stored && { stored }),
      rows: (first, count) => {
        const lines = rows.slice(first, first + count);
        const known = lines.filter((line) => line !== null);
        const result = new Float32Array(count * inputs);
        if (known.length === 0) return result;
        // Lines rise from head to head, so what a chunk needs lies together in the file.
        const begin = known.reduce((a, b) => Math.min(a, b));
        const end = known.reduce((a, b) => Math.max(a, b)) + 1;
        const stored = this.#checkpoint.readRows(name, begin, end - begin);
        const width = this.#checkpoint.tensors.get(name)!.shape[1]!;
        lines.forEach((line, row) => {
          if (line === null) return;
          const values = stored.subarray((line - begin) * width, (line - begin + 1) * width);
          if (width === inputs) result.set(values, row * inputs);
          else scatter(values, columns, result.subarray(row * inputs));
        });
        return result;
      },
    };
  }

  readonly #defer = (upload: () => void): void => {
    this.#uploads.push(upload);
  };

  /** Tells of progress when what was put off before is done. */
  #count(tensors: number): void {
    this.#defer(() => {
      this.#done += tensors;
      this.#onProgress(this.#done, this.#checkpoint.tensors.size);
    });
  }
}

/** 0 … size - 1, then padding. */
function padded(size: number): Line[] {
  return Array.from({ length: align(size) }, (_, i) => i < size ? i : null);
}

function scatter(values: Float32Array, columns: readonly Line[], into: Float32Array): void {
  columns.forEach((column, i) => {
    if (column !== null) into[i] = values[column]!;
  });
}
