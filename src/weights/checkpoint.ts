import { CheckpointDirectory, readFully } from "./directory.ts";
import { CheckpointError, quote } from "./errors.ts";
import type { StoredRows } from "./formats/format.ts";
import {
  joinQuantized,
  openStored,
  type Quantization,
  type QuantizedTensor,
  readQuantization,
  readStored,
} from "./quantized_tensor.ts";
import { elementCount, type TensorEntry } from "./safetensors.ts";
import { locateWeights, readWeights, type Weights } from "./shards.ts";
import { parseStrictJson } from "./strict_json.ts";
import { roundBf16 } from "./round_bf16.ts";
import { FLOAT_BYTES, isFloatType, widen } from "./widen.ts";

export { CheckpointError } from "./errors.ts";
export type { CheckpointCode } from "./errors.ts";
export type { TensorEntry } from "./safetensors.ts";

const CONFIG_FILE = "config.json";
/** What a checkpoint without a tokenizer takes from elsewhere. */
const TOKENIZER_FILE = "tokenizer.json";
const TOKENIZER_FILES: readonly string[] = [TOKENIZER_FILE, "tokenizer_config.json"];

/** What a JSON file may have at most. */
export interface JsonLimits {
  readonly maxBytes: number;
  /** Keys and values together. */
  readonly maxValues: number;
}

interface Parts {
  readonly tokenizer: string | undefined;
  readonly config: Record<string, unknown>;
  readonly weights: Weights;
}

const SMALL: JsonLimits = { maxBytes: 4 * 1024 * 1024, maxValues: 1 << 18 };

/** Halves read from the file at a time: they stay in the CPU's cache until they are converted. */
const CHUNK_HALVES = 1 << 17;

/**
 * A directory with `config.json` and safetensors files. Opening reads every header and no data;
 * rows are read from the files as they are asked for.
 */
export class Checkpoint implements Disposable {
  /** `config.json` as it stands: a JSON object, otherwise unchecked. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Bytes of all tensor files, headers included. */
  readonly sizeBytes: number;
  /** Of a quantized matrix, one entry in place of its weights and scales: see `joinQuantized`. */
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  /** What the matrices were stored in ahead of time; `null` where nothing says so. */
  readonly quantization: Quantization | null;
  /** The file that says which tensors there are: the one file, or the index. */
  readonly weightsFile: string;
  /** Whether all matrices are half precision, so that f16 storage loses nothing of note. */
  readonly isHalf: boolean;
  readonly #quantized: ReadonlyMap<string, QuantizedTensor>;
  readonly #directory: CheckpointDirectory;
  /** The same, but for a checkpoint that has no tokenizer of its own. */
  readonly #tokenizer: CheckpointDirectory;
  /** The file read last, kept open for the next rows. */
  #open: { name: string; file: Deno.FsFile } | null = null;

  private constructor(
    directory: CheckpointDirectory,
    { tokenizer, config, weights }: Parts,
  ) {
    this.#directory = directory;
    this.#tokenizer = tokenizer === undefined || directory.has(TOKENIZER_FILE)
      ? directory
      : new CheckpointDirectory(tokenizer);
    this.config = config;
    this.quantization = readQuantization(config);
    const { tensors, quantized } = joinQuantized(weights.tensors, {
      quantization: this.quantization,
      file: weights.file,
    });
    this.tensors = tensors;
    this.#quantized = quantized;
    this.weightsFile = weights.file;
    this.sizeBytes = weights.sizeBytes;
    const matrices = [...weights.tensors.values()].filter(({ shape }) => shape.length > 1);
    this.isHalf = matrices.length > 0 &&
      matrices.every(({ dtype }) => dtype === "F16" || dtype === "BF16");
  }

  /**
   * Opens the checkpoint in `path`.
   *
   * @param tokenizer The directory whose tokenizer counts where `path` has none.
   * @throws {CheckpointError} If the directory, its config or a tensor file is unusable, whatever
   * is in it.
   */
  static open(path: string, { tokenizer }: { readonly tokenizer?: string } = {}): Checkpoint {
    const directory = new CheckpointDirectory(path);
    const weightsFile = locateWeights(directory);
    const config = readObject(directory, CONFIG_FILE, SMALL);
    const weights = readWeights(directory, weightsFile);
    return new Checkpoint(directory, { tokenizer, config, weights });
  }

  /**
   * Opens a checkpoint in `path` that may have no weights: its config and its tokenizer.
   *
   * @throws {CheckpointError} If the directory or its config is unusable.
   */
  static openConfig(path: string): Checkpoint {
    const directory = new CheckpointDirectory(path);
    const config = readObject(directory, CONFIG_FILE, SMALL);
    const weights = { file: "model.safetensors", tensors: new Map(), sizeBytes: 0 };
    return new Checkpoint(directory, { tokenizer: undefined, config, weights });
  }

  /** Name of the directory; of a snapshot in a hub's cache, `models--ORG--NAME`. */
  get name(): string {
    return this.#directory.name;
  }

  /**
   * Reads rows of a tensor along its first axis as f32, exactly; of a quantized matrix, what its
   * integers stand for. A scalar is one row.
   *
   * @returns `count` times the elements of one row, in the order of the file.
   * @throws {RangeError} If the tensor has no such rows.
   * @throws {CheckpointError} If there is no such tensor, it does not hold F32, F16 or BF16, or the
   * file cannot be read.
   */
  readRows(name: string, first: number, count: number): Float32Array<ArrayBuffer> {
    const { entry, width } = this.#locate(name, first, count);
    const quantized = this.#quantized.get(name);
    if (quantized !== undefined) {
      return openStored(this.readStoredRows(quantized, first, count), quantized);
    }
    return this.#readElements(entry, { first: first * width, count: count * width });
  }

  /**
   * Reads rows of a tensor of F16 or BF16 along its first axis as bit patterns of f16.
   *
   * @throws {RangeError} If the tensor has no such rows, or a number that is too large for f16.
   * @throws {CheckpointError} If there is no such tensor, it does not hold F16 or BF16, or the file
   * cannot be read.
   */
  readHalves(name: string, first: number, count: number): Uint16Array<ArrayBuffer> {
    const { entry, width } = this.#locate(name, first, count);
    const { dtype, file } = entry;
    if (dtype !== "F16" && dtype !== "BF16") throw wrongType(entry, "F16 or BF16");
    const halves = new Uint16Array(count * width);
    const into = new Uint8Array(halves.buffer);
    readFully(file, this.#handle(file), { offset: entry.offset + first * width * 2, into });
    if (dtype === "BF16") roundBf16(halves, name);
    return halves;
  }

  /** How a matrix is quantized in the files; `null` where it is not. */
  quantizedTensor(name: string): QuantizedTensor | null {
    return this.#quantized.get(name) ?? null;
  }

  /**
   * Reads rows of a quantized matrix as they are stored, within its bounds.
   *
   * @throws {CheckpointError} If the file cannot be read, or a scale is no number.
   */
  readStoredRows(tensor: QuantizedTensor, first: number, count: number): StoredRows {
    const read = this.readBytes.bind(this);
    return readStored(tensor, { first, count, read });
  }

  /**
   * Reads bytes of a tensor as they are in the file.
   *
   * @throws {CheckpointError} If the file cannot be read.
   */
  readBytes(entry: TensorEntry, begin: number, length: number): Uint8Array<ArrayBuffer> {
    const into = new Uint8Array(length);
    readFully(entry.file, this.#handle(entry.file), { offset: entry.offset + begin, into });
    return into;
  }

  /**
   * Reads one of the small JSON files beside the weights.
   *
   * @param limits 4 MiB and a quarter million keys and values unless told.
   * @returns null where there is no such file.
   * @throws {CheckpointError} If it is not a JSON object within the limits.
   */
  json(fileName: string, limits: JsonLimits = SMALL): Record<string, unknown> | null {
    const directory = TOKENIZER_FILES.includes(fileName) ? this.#tokenizer : this.#directory;
    return directory.has(fileName) ? readObject(directory, fileName, limits) : null;
  }

  /**
   * Reads one of the small files beside the weights that are no JSON.
   *
   * @returns null where there is no such file.
   * @throws {CheckpointError} If it cannot be read, or is larger than `maxBytes`.
   */
  bytes(fileName: string, { maxBytes }: Pick<JsonLimits, "maxBytes">): Uint8Array | null {
    return this.#directory.has(fileName) ? this.#directory.read(fileName, { maxBytes }) : null;
  }

  /** Closes the file that is open. */
  [Symbol.dispose](): void {
    this.#open?.file.close();
    this.#open = null;
  }

  /** Finds rows of a tensor, each of `width` elements. */
  #locate(name: string, first: number, count: number): { entry: TensorEntry; width: number } {
    const entry = this.tensors.get(name);
    if (entry === undefined) {
      const problem = `tensor ${quote(name)} is absent`;
      throw new CheckpointError(this.weightsFile, "missing_tensor", problem);
    }
    const [rows = 1, ...row] = entry.shape;
    if (!Number.isInteger(first) || !Number.isInteger(count) || first < 0 || count < 0) {
      throw new RangeError(`Cannot read rows: first is ${first} and count ${count}, expected 0 up`);
    }
    if (first + count > rows) {
      throw new RangeError(
        `Cannot read rows: row ${first + count} is asked for, expected at most ${rows}`,
      );
    }
    return { entry, width: elementCount(row) };
  }

  #readElements(
    entry: TensorEntry,
    { first, count }: { first: number; count: number },
  ): Float32Array<ArrayBuffer> {
    const { dtype, file, offset } = entry;
    if (!isFloatType(dtype)) throw wrongType(entry, "F32, F16 or BF16");
    const result = new Float32Array(count);
    const handle = this.#handle(file);
    const begin = offset + first * FLOAT_BYTES[dtype];
    if (dtype === "F32") {
      // Little-endian in the file, and on every machine that Deno runs on.
      readFully(file, handle, { offset: begin, into: new Uint8Array(result.buffer) });
      return result;
    }
    const halves = new Uint16Array(Math.min(count, CHUNK_HALVES));
    for (let done = 0; done < count; done += halves.length) {
      const chunk = halves.subarray(0, count - done);
      const into = new Uint8Array(halves.buffer, 0, chunk.byteLength);
      readFully(file, handle, { offset: begin + done * FLOAT_BYTES[dtype], into });
      widen(dtype, chunk, result.subarray(done, done + chunk.length));
    }
    return result;
  }

  #handle(name: string): Deno.FsFile {
    if (this.#open?.name !== name) {
      this[Symbol.dispose]();
      this.#open = { name, file: this.#directory.open(name).file };
    }
    return this.#open!.file; // Opened by the lines above.
  }
}

function wrongType({ name, dtype, file }: TensorEntry, expected: string): CheckpointError {
  const problem = `tensor ${quote(name)} has dtype ${dtype}, expected ${expected}`;
  return new CheckpointError(file, "wrong_dtype", problem);
}

function readObject(
  directory: CheckpointDirectory,
  name: string,
  limits: JsonLimits,
): Record<string, unknown> {
  const value = parseStrictJson(name, directory.read(name, limits), limits);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new CheckpointError(name, "invalid_json", "it is not a JSON object");
  }
  return value as Record<string, unknown>; // Checked above; JSON objects have string keys.
}
