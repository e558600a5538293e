import { elementCount } from "./safetensors.ts";

/** A tensor to write: f32. */
export interface WrittenTensor {
  readonly name: string;
  /** Empty for a scalar. */
  readonly shape: readonly number[];
  /** Its values, when it is their turn. */
  readonly read: () => Promise<Float32Array<ArrayBuffer>> | Float32Array<ArrayBuffer>;
}

/** A tensor to write, of any type. */
export interface WrittenBytes {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: number;
  /** Its data in pieces, when it is their turn. */
  readonly chunks: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/**
 * Writes f32 tensors in the order given, one in memory at a time, and waits until they are on the
 * disk.
 *
 * @throws {RangeError} If a tensor has not as many values as its shape says.
 */
export async function writeSafetensors(
  path: string,
  tensors: readonly WrittenTensor[],
): Promise<void> {
  await writeTensorFile(
    path,
    tensors.map(({ name, shape, read }) => ({
      ...{ name, dtype: "F32", shape, bytes: 4 * elementCount(shape) },
      chunks: async function* () {
        const values = await read();
        const count = elementCount(shape);
        if (values.length !== count) {
          throw new RangeError(
            `Cannot write "${name}": it has ${values.length} values, expected ${count}`,
          );
        }
        yield new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      },
    })),
  );
}

/**
 * Writes tensors in the order given, one piece in memory at a time, and waits until they are on the
 * disk.
 *
 * Source: huggingface/safetensors, README, section "Format".
 *
 * @throws {RangeError} If a tensor has not as many bytes as it says.
 */
export async function writeTensorFile(
  path: string,
  tensors: readonly WrittenBytes[],
): Promise<void> {
  using file = Deno.openSync(path, { write: true, create: true, truncate: true });
  const header: Record<string, unknown> = { __metadata__: { format: "pt" } };
  let position = 0;
  for (const { name, dtype, shape, bytes } of tensors) {
    header[name] = { dtype, shape, data_offsets: [position, position + bytes] };
    position += bytes;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const padded = new Uint8Array(8 + Math.ceil(text.length / 8) * 8).fill(0x20);
  new DataView(padded.buffer).setBigUint64(0, BigInt(padded.length - 8), true);
  padded.set(text, 8);
  writeFully(file, padded);
  for (const { name, bytes, chunks } of tensors) {
    let written = 0;
    for await (const chunk of chunks()) {
      writeFully(file, chunk);
      written += chunk.length;
    }
    if (written === bytes) continue;
    throw new RangeError(`Cannot write "${name}": it has ${written} bytes, expected ${bytes}`);
  }
  file.syncSync();
}

function writeFully(file: Deno.FsFile, bytes: Uint8Array): void {
  let done = 0;
  while (done < bytes.length) done += file.writeSync(bytes.subarray(done));
}
