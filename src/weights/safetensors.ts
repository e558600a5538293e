import { CheckpointError, quote } from "./errors.ts";
import { readFully } from "./directory.ts";
import { parseStrictJson } from "./strict_json.ts";

/** Largest header accepted, in bytes. */
export const MAX_HEADER_BYTES = 16 * 1024 * 1024;

/** Keys and values of a header; a tensor has about nine. */
const MAX_VALUES = 1 << 19;

/** Bytes of the little-endian header length at the start of a file. */
const LENGTH_BYTES = 8;

/** Bits of one element of every type of the format. */
const BITS_OF_TYPE: ReadonlyMap<string, number> = new Map([
  ...["F4"].map((name) => [name, 4] as const),
  ...["F6_E2M3", "F6_E3M2"].map((name) => [name, 6] as const),
  ...["BOOL", "U8", "I8"].map((name) => [name, 8] as const),
  ...["F8_E4M3", "F8_E4M3FNUZ", "F8_E5M2", "F8_E5M2FNUZ", "F8_E8M0"].map((n) => [n, 8] as const),
  ...["U16", "I16", "F16", "BF16"].map((name) => [name, 16] as const),
  ...["U32", "I32", "F32"].map((name) => [name, 32] as const),
  ...["U64", "I64", "F64", "C64"].map((name) => [name, 64] as const),
]);

/** One tensor of a file. */
export interface TensorEntry {
  readonly name: string;
  /** As the file spells it: `F32`, `F16`, `BF16`, … */
  readonly dtype: string;
  /** Empty for a scalar. */
  readonly shape: readonly number[];
  /** Path of the file relative to the checkpoint directory. */
  readonly file: string;
  /** Position of the first byte in the file. */
  readonly offset: number;
  /** Size of the data. */
  readonly bytes: number;
}

/** Number of elements of a tensor. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

/**
 * Reads the header of a safetensors file, and nothing else of it.
 *
 * Strict: every byte after the header belongs to exactly one tensor, and shapes fill their ranges.
 *
 * Source: the format's own README, huggingface/safetensors, section "Format".
 *
 * @param name Path relative to the checkpoint directory, for the entries and for errors.
 * @throws {CheckpointError} If the file is not exactly such a file.
 */
export function readSafetensorsHeader(
  name: string,
  { file, size }: { file: Deno.FsFile; size: number },
): TensorEntry[] {
  const headerBytes = readHeaderLength(name, { file, size });
  const bytes = new Uint8Array(headerBytes);
  readFully(name, file, { offset: LENGTH_BYTES, into: bytes });
  if (bytes[0] !== 0x7b) {
    throw new CheckpointError(name, "invalid_header", 'the header does not start with "{"');
  }
  const header = parseStrictJson(name, bytes, { maxValues: MAX_VALUES });
  if (!isObject(header)) {
    throw new CheckpointError(name, "invalid_header", "the header is not a JSON object");
  }
  const dataStart = LENGTH_BYTES + headerBytes;
  const entries: TensorEntry[] = [];
  for (const [key, value] of Object.entries(header)) {
    if (key === "__metadata__") expectMetadata(name, value);
    else entries.push(readEntry({ name: key, value, file: name, dataStart }));
  }
  expectSeamless(name, entries, { dataStart, size });
  return entries;
}

function readHeaderLength(
  name: string,
  { file, size }: { file: Deno.FsFile; size: number },
): number {
  if (size < LENGTH_BYTES) {
    throw new CheckpointError(
      name,
      "invalid_header",
      `the file has ${size} bytes, expected at least ${LENGTH_BYTES}`,
    );
  }
  const bytes = new Uint8Array(LENGTH_BYTES);
  readFully(name, file, { offset: 0, into: bytes });
  const length = new DataView(bytes.buffer).getBigUint64(0, true);
  if (length < 2n || length > BigInt(MAX_HEADER_BYTES)) {
    throw new CheckpointError(
      name,
      "invalid_header",
      `the header length is ${length}, expected 2 to ${MAX_HEADER_BYTES}`,
    );
  }
  if (Number(length) > size - LENGTH_BYTES) {
    throw new CheckpointError(
      name,
      "invalid_header",
      `the header length is ${length}, expected at most the ${
        size - LENGTH_BYTES
      } bytes that follow`,
    );
  }
  return Number(length);
}

function expectMetadata(file: string, value: unknown): void {
  if (isObject(value) && Object.values(value).every((each) => typeof each === "string")) return;
  throw new CheckpointError(
    file,
    "invalid_header",
    'key "__metadata__" is not an object whose values are strings',
  );
}

function readEntry(
  { name, value, file, dataStart }: {
    name: string;
    value: unknown;
    file: string;
    dataStart: number;
  },
): TensorEntry {
  const refuse = (problem: string, code: "invalid_tensor" | "invalid_offsets" = "invalid_tensor") =>
    new CheckpointError(file, code, `tensor ${quote(name)} ${problem}`);
  if (!isObject(value)) throw refuse("is not a JSON object");
  const { dtype, shape, data_offsets: range, ...others } = value;
  const [other] = Object.keys(others);
  if (other !== undefined) throw refuse(`has the unknown key ${quote(other)}`);
  const bits = typeof dtype === "string" ? BITS_OF_TYPE.get(dtype) : undefined;
  if (typeof dtype !== "string" || bits === undefined) {
    throw refuse(
      `has dtype ${quote(dtype)}, expected one of ${[...BITS_OF_TYPE.keys()].join(" ")}`,
    );
  }
  if (!isSizes(shape)) throw refuse(`has shape ${quote(shape)}, expected sizes of 0 or more`);
  if (!isSizes(range) || range.length !== 2) {
    throw refuse(`has data_offsets ${quote(range)}, expected [begin, end]`, "invalid_offsets");
  }
  const [begin = 0, end = 0] = range;
  if (end < begin) {
    throw refuse(`has data_offsets ${quote(range)}, expected begin <= end`, "invalid_offsets");
  }
  const bytes = sizeOf(shape, bits);
  if (bytes !== end - begin) {
    const needed = bytes === null ? "no whole number of bytes in reach" : `${bytes} bytes`;
    throw refuse(
      `has ${end - begin} bytes, expected ${needed} for ${dtype} ${quote(shape)}`,
      "invalid_offsets",
    );
  }
  return { name, dtype, shape, file, offset: dataStart + begin, bytes };
}

/** Bytes of a tensor, or null where they are not a safe whole number. */
function sizeOf(shape: readonly number[], bits: number): number | null {
  let total = bits;
  for (const length of shape) {
    total *= length;
    if (!Number.isSafeInteger(total)) return null;
  }
  return total % 8 === 0 ? total / 8 : null;
}

/** Every byte from `dataStart` to `size` belongs to exactly one tensor. */
function expectSeamless(
  file: string,
  entries: readonly TensorEntry[],
  { dataStart, size }: { dataStart: number; size: number },
): void {
  let position = dataStart;
  const inOrder = entries.toSorted((a, b) => a.offset - b.offset || a.bytes - b.bytes);
  for (const { name, offset, bytes } of inOrder) {
    if (offset !== position) {
      const what = offset < position ? "overlaps the tensor before it" : "leaves a hole before it";
      throw new CheckpointError(
        file,
        "invalid_offsets",
        `tensor ${quote(name)} ${what}: it begins at ${offset - dataStart}, ` +
          `expected ${position - dataStart}`,
      );
    }
    position += bytes;
  }
  if (position !== size) {
    const last = inOrder.at(-1);
    const what = last
      ? `the last tensor ${quote(last.name)} ends`
      : "the header without tensors ends";
    throw new CheckpointError(
      file,
      "invalid_offsets",
      `${what} at byte ${position}, expected the end of the file at ${size}`,
    );
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((each) => Number.isSafeInteger(each) && each >= 0);
}
