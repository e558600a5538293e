import { type Segments, sortByToken, type Streams } from "../../kernels/training/mod.ts";
import type { Gpu, Tensor } from "../gpu/mod.ts";
import type { NoisySequence } from "./noisy_sequence.ts";

/** Rows of logits are a multiple of this. */
const HEAD_STEP = 8;

type TableName =
  | "tokens"
  | "uses"
  | "order"
  | "sigma"
  | "headRows"
  | "headTokens"
  | "headWeights"
  | "rowStarts"
  | "headStarts";

/**
 * Most sequences and positions that a {@linkcode Batch} may have, and the tokens that there are.
 */
export interface BatchLimits {
  readonly sequences: number;
  readonly length: number;
  readonly vocabulary: number;
}

/** What a network is trained on in one pass, on the device. */
export interface Batch {
  readonly streams: Streams;
  readonly rows: number;
  /** [≥ rows] u32, in the order of `two_stream.wgsl`. */
  readonly tokens: Tensor;
  /** {@linkcode sortByToken} of them, and how many different ones there are. */
  readonly uses: Tensor;
  readonly order: Tensor;
  readonly differentTokens: number;
  /** [≥ sequences] f32, zero beyond: noise levels. */
  readonly sigma: Tensor;
  /** Rows that are masked, and so have a loss; their tokens and weights. */
  readonly heads: number;
  readonly headRows: Tensor;
  readonly headTokens: Tensor;
  readonly headWeights: Tensor;
  /** Rows by sequence, those of both halves one after the other; heads by sequence. */
  readonly rowSegments: Segments;
  readonly headSegments: Segments;
}

/** `count` rounded up to whole steps of the sums over heads, or over conditions. */
export function paddedRows(count: number): number {
  return Math.ceil(count / HEAD_STEP) * HEAD_STEP;
}

/** Memory on the device for batches, one at a time. */
export class BatchTables implements Disposable {
  readonly #gpu: Gpu;
  readonly #limits: BatchLimits;
  readonly #tables: Readonly<Record<TableName, Tensor>>;

  constructor(gpu: Gpu, limits: BatchLimits) {
    this.#gpu = gpu;
    this.#limits = limits;
    const { sequences, length, vocabulary } = limits;
    const rows = 2 * sequences * length;
    const words = (name: string, count: number) => gpu.tensor(name, [count], { dtype: "u32" });
    this.#tables = {
      tokens: words("tokens", rows),
      uses: words("uses", 3 * Math.min(rows, vocabulary)),
      order: words("order", rows),
      sigma: gpu.tensor("sigma", [paddedRows(sequences)]),
      headRows: words("head rows", paddedRows(rows / 2)),
      headTokens: words("head tokens", paddedRows(rows / 2)),
      headWeights: gpu.tensor("head weights", [paddedRows(rows / 2)]),
      rowStarts: words("row starts", 2 * sequences + 1),
      headStarts: words("head starts", sequences + 1),
    };
  }

  /**
   * Uploads sequences, after all passes submitted so far. What was uploaded before is gone.
   *
   * @param blockSize Where it is the whole length, nothing sees x_0, and it is left out.
   * @throws {RangeError} If there are too many, or one has another length than the others.
   */
  upload(sequences: readonly NoisySequence[], blockSize: number): Batch {
    const { length, vocabulary } = this.#limits;
    this.#expect(sequences);
    const hasCleanStream = blockSize < length;
    const tokens = Uint32Array.from([
      ...sequences.flatMap(({ xt }) => Array.from(xt)),
      ...(hasCleanStream ? sequences.flatMap(({ x0 }) => Array.from(x0)) : []),
    ]);
    const { uses, order } = sortByToken(tokens, vocabulary);
    const halves = Array.from({ length: tokens.length / length + 1 }, (_, i) => i * length);
    this.#write("tokens", tokens);
    this.#write("uses", uses);
    this.#write("order", order);
    this.#write("rowStarts", Uint32Array.from(halves));
    const sigma = new Float32Array(this.#tables.sigma.length);
    sigma.set(sequences.map((each) => each.sigma));
    this.#write("sigma", sigma);
    const heads = this.#uploadHeads(sequences);
    const { rowStarts, headStarts, ...tables } = this.#tables;
    return {
      ...tables,
      rows: tokens.length,
      streams: {
        ...{ sequences: sequences.length, length, blockSize },
        streams: hasCleanStream ? 2 : 1,
      },
      ...{ differentTokens: uses.length / 3, heads },
      rowSegments: { starts: rowStarts, segments: halves.length - 1 },
      headSegments: { starts: headStarts, segments: sequences.length },
    };
  }

  [Symbol.dispose](): void {
    for (const each of Object.values(this.#tables)) each[Symbol.dispose]();
  }

  /** Gives the number of heads. */
  #uploadHeads(sequences: readonly NoisySequence[]): number {
    const { length } = this.#limits;
    const rows: number[] = [];
    const tokens: number[] = [];
    const weights: number[] = [];
    const starts = [0];
    sequences.forEach((sequence, s) => {
      for (let i = 0; i < length; i++) {
        if (sequence.weights[i] === 0) continue;
        rows.push(s * length + i);
        tokens.push(sequence.x0[i]!);
        weights.push(sequence.weights[i]!);
      }
      starts.push(rows.length);
    });
    const padding = paddedRows(rows.length) - rows.length;
    // Rows beyond the heads are normed along; what comes of them is dropped.
    this.#write("headRows", Uint32Array.from([...rows, ...Array(padding).fill(0)]));
    this.#write("headTokens", Uint32Array.from(tokens));
    this.#write("headWeights", Float32Array.from(weights));
    this.#write("headStarts", Uint32Array.from(starts));
    return rows.length;
  }

  #write(name: TableName, data: ArrayBufferView<ArrayBuffer>): void {
    if (data.byteLength > 0) this.#gpu.write(this.#tables[name], data);
  }

  #expect(sequences: readonly NoisySequence[]): void {
    const { sequences: most, length } = this.#limits;
    if (sequences.length === 0 || sequences.length > most) {
      throw new RangeError(
        `Cannot upload: there are ${sequences.length} sequences, expected 1 to ${most}`,
      );
    }
    const wrong = sequences.find((each) => each.x0.length !== length || each.xt.length !== length);
    if (!wrong) return;
    throw new RangeError(
      `Cannot upload: a sequence has ${wrong.xt.length} tokens, expected ${length}`,
    );
  }
}
