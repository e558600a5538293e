/** Reads the recordings of `test/fixtures`; `test/fixtures/README.md` says what is in each file. */
import { fromFileUrl, join, resolve } from "@std/path";

/** One tensor of a recording; half-precision floats are widened to f32. */
export interface FixtureTensor {
  readonly dtype: "F32" | "F16" | "BF16" | "I32" | "U8" | "F64";
  readonly shape: readonly number[];
  /** Float64 only where a test computes it. */
  readonly data: Float32Array | Float64Array | Int32Array | Uint8Array;
}

/** The tensors of one safetensors file by name. */
export type Fixture = Map<string, FixtureTensor>;

interface HeaderEntry {
  readonly dtype: FixtureTensor["dtype"];
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

const DEFAULT_DIRECTORY = fromFileUrl(new URL("../fixtures", import.meta.url));

/** The directory of the recordings: `BD_FIXTURES`, or `test/fixtures` where that is unset. */
function fixtureDirectory(): string {
  return resolve(Deno.env.get("BD_FIXTURES") || DEFAULT_DIRECTORY);
}

/** `model_type` of the recorded models by the family that they load as. */
const MODEL_TYPES = {
  bd3lm: ["bd3lm"],
  sdar: ["sdar", "a2d-qwen3"],
  fast_dllm: ["Fast_dLLM_Qwen"],
} as const;

/** Families that models are recorded of. */
export type RecordedFamily = keyof typeof MODEL_TYPES;

/**
 * Absolute paths of the folders that hold a recorded model of a family, by name. Those of the
 * repository serve where `BD_FIXTURES` brings models of other families only: tests over an empty list
 * would pass without testing.
 *
 * @throws {RangeError} If there is no model at all.
 */
export function fixtureFolders(family: RecordedFamily = "bd3lm"): string[] {
  const directory = fixtureDirectory();
  const all = Object.keys(MODEL_TYPES) as RecordedFamily[]; // The keys are these.
  if (all.every((each) => foldersIn(directory, each).length === 0)) {
    throw new RangeError(
      `Cannot find fixtures: "${directory}" holds no model, expected folders of one each`,
    );
  }
  const own = foldersIn(directory, family);
  return own.length > 0 ? own : foldersIn(DEFAULT_DIRECTORY, family);
}

function foldersIn(directory: string, family: RecordedFamily): string[] {
  return [...Deno.readDirSync(directory)]
    .filter((entry) => !entry.isFile)
    .map((entry) => join(directory, entry.name))
    .filter((folder) => isOf(family, folder))
    .sort();
}

/** A checkpoint may stand there without recordings. */
function isOf(family: RecordedFamily, folder: string): boolean {
  const config = join(folder, "config.json");
  if (!hasFile(config) || !hasFile(join(folder, "meta.json"))) return false;
  const { model_type: type = "" } = readJson(config) as { model_type?: string };
  return (MODEL_TYPES[family] as readonly string[]).includes(type);
}

/**
 * Absolute path of recordings that belong to no model. Those of the repository serve where
 * `BD_FIXTURES` brings none of its own.
 */
export function commonFolder(name: "bd3lm-common" | "qwen-common" = "bd3lm-common"): string {
  const own = join(fixtureDirectory(), name);
  return hasFile(own) ? own : join(DEFAULT_DIRECTORY, name);
}

/** Whether a file or directory exists at `path`. */
export function hasFile(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return false;
    }
    throw error;
  }
}

/** The parsed content of a JSON file. */
export function readJson(path: string): unknown {
  return JSON.parse(Deno.readTextFileSync(path));
}

/**
 * All tensors of a safetensors file. Lenient: it trusts the header.
 *
 * @throws {TypeError} If a tensor has a dtype the recordings do not use.
 */
export function readFixture(path: string): Fixture {
  const bytes = Deno.readFileSync(path);
  const headerSize = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const dataStart = 8 + headerSize;
  const header: Record<string, unknown> = JSON.parse(
    new TextDecoder().decode(bytes.subarray(8, dataStart)),
  );
  delete header["__metadata__"];
  // The format gives every other entry these fields.
  const entries = Object.entries(header as Record<string, HeaderEntry>);
  return new Map(entries.map(([name, { dtype, shape, data_offsets: [start, end] }]) => {
    const data = decode(bytes.slice(dataStart + start, dataStart + end), dtype);
    return [name, { dtype, shape, data }];
  }));
}

function decode(bytes: Uint8Array<ArrayBuffer>, dtype: FixtureTensor["dtype"]) {
  switch (dtype) {
    case "F32":
      return new Float32Array(bytes.buffer);
    case "I32":
      return new Int32Array(bytes.buffer);
    case "U8":
      return bytes;
    case "F16":
      return Float32Array.from(new Uint16Array(bytes.buffer), widenHalf);
    case "BF16":
      // bfloat16 is the upper half of an f32.
      return new Float32Array(
        Uint32Array.from(new Uint16Array(bytes.buffer), (bits) => bits << 16).buffer,
      );
    default:
      throw new TypeError(
        `Cannot read fixture: dtype is ${dtype}, expected F32, F16, BF16, I32, U8`,
      );
  }
}

/** The number an IEEE half stands for: sign, 5 bits of exponent (bias 15), 10 of fraction. */
function widenHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/**
 * The tensor `name` of `fixture`.
 *
 * @throws {RangeError} If the file holds no such tensor.
 */
export function tensorOf(fixture: Fixture, name: string): FixtureTensor {
  const tensor = fixture.get(name);
  if (tensor) return tensor;
  throw new RangeError(
    `Cannot find tensor "${name}": the fixture holds ${[...fixture.keys()].join(", ")}`,
  );
}

/**
 * The values of a floating point tensor; half precision is widened to f32.
 *
 * @throws {RangeError} If the file holds no such tensor.
 * @throws {TypeError} If it holds integers.
 */
export function floatsOf(fixture: Fixture, name: string): Float32Array | Float64Array {
  const { data, dtype } = tensorOf(fixture, name);
  if (data instanceof Float32Array || data instanceof Float64Array) return data;
  throw new TypeError(`Cannot read floats: "${name}" is ${dtype}, expected F32, F16 or BF16`);
}

/**
 * The values of an integer tensor: I32, or U8 flags.
 *
 * @throws {RangeError} If the file holds no such tensor.
 * @throws {TypeError} If it holds floats.
 */
export function integersOf(fixture: Fixture, name: string): number[] {
  const { data, dtype } = tensorOf(fixture, name);
  if (!(data instanceof Float32Array || data instanceof Float64Array)) return [...data];
  throw new TypeError(`Cannot read integers: "${name}" is ${dtype}, expected I32 or U8`);
}
