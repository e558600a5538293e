import { UsageError } from "./flags.ts";

/**
 * The text of a file in UTF-8, which may be gzip'd.
 *
 * @throws {UsageError} If it cannot be read, or is no text.
 */
export async function readTextFile(path: string): Promise<string> {
  try {
    const bytes = await Deno.readFile(path);
    // What gzip'd files begin with.
    const isPacked = bytes[0] === 0x1f && bytes[1] === 0x8b;
    const plain = isPacked ? await unpack(bytes) : bytes;
    return new TextDecoder("utf-8", { fatal: true }).decode(plain);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`Cannot read ${JSON.stringify(path)}: ${message}`, { cause });
  }
}

async function unpack(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
