import { elementCount } from "./safetensors.ts";

/** A tensor to write: f32. */
export interface WrittenTensor {
  readonly name: string;
  /** Empty for a scalar. */
  readonly shape: readonly number[];
  /** Its values, when it is their turn. */
  readonly read: () => Promise<Float32Array<ArrayBuffer>> | Float32Array<ArrayBuffer>;
}

/**
 * Writes f32 tensors in the order given, one in memory at a time, and waits until they are on the
 * disk.
 *
 * Source: huggingface/safetensors, README, section "Format".
 *
 * @throws {RangeError} If a tensor has not as many values as its shape says.
 */
export async function writeSafetensors(
  path: string,
  tensors: readonly WrittenTensor[],
): Promise<void> {
  using file = Deno.openSync(path, { write: true, create: true, truncate: true });
  const header: Record<string, unknown> = { __metadata__: { format: "pt" } };
  let position = 0;
  for (const { name, shape } of tensors) {
    const end = position + 4 * elementCount(shape);
    header[name] = { dtype: "F32", shape, data_offsets: [position, end] };
    position = end;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const padded = new Uint8Array(8 + Math.ceil(text.length / 8) * 8).fill(0x20);
  new DataView(padded.buffer).setBigUint64(0, BigInt(padded.length - 8), true);
  padded.set(text, 8);
  writeFully(file, padded);
  for (const { name, shape, read } of tensors) {
    const values = await read();
    if (values.length !== elementCount(shape)) {
      throw new RangeError(
        `Cannot write "${name}": it has ${values.length} values, expected ${elementCount(shape)}`,
      );
    }
    writeFully(file, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }
  file.syncSync();
}

function writeFully(file: Deno.FsFile, bytes: Uint8Array): void {
  let done = 0;
  while (done < bytes.length) done += file.writeSync(bytes.subarray(done));
}
