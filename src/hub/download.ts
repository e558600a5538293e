import { join } from "@std/path";
import type { Hash } from "node:crypto";
import { exists } from "./cache.ts";
import { HubError } from "./errors.ts";
import { type HubFile, startChecksum } from "./hub_file.ts";
import type { FileBody } from "./repository.ts";

/** What a download needs beside the file that it is of. */
export interface DownloadOptions {
  /** The cache's folder of blobs; it exists. */
  readonly blobs: string;
  /** Begins to read the file from a byte on. */
  readonly open: (offset: number) => Promise<FileBody>;
  /** Called with the bytes that are there. */
  readonly onProgress: (bytes: number) => void;
  /** Waits before another attempt. */
  readonly delay: (ms: number) => Promise<void>;
}

/** Failures without a byte between them after which a download is given up. */
const MAX_FAILURES = 5;
const CHUNK_BYTES = 1 << 20;

/**
 * Downloads a file into the cache unless it is there. It goes on where an earlier download, of this
 * process or another, stopped, and gets its name only once its checksum is right. Two at a time
 * wait for each other.
 *
 * @throws {HubError} If the hub does not give the file, or another than it listed.
 */
export async function download(file: HubFile, options: DownloadOptions): Promise<void> {
  const blob = join(options.blobs, file.checksum);
  const partial = `${blob}.incomplete`;
  if (exists(blob)) return;
  using output = await Deno.open(partial, { read: true, write: true, create: true });
  await output.lock(true);
  if (exists(blob)) {
    // The one that was waited for has got it; this is the name that opening made anew.
    if (exists(partial)) await Deno.remove(partial);
    return;
  }
  const checksum = await complete(file, output, options);
  if (checksum !== file.checksum) {
    await Deno.remove(partial);
    throw new HubError(
      `"${file.name}" has checksum ${checksum}, expected ${file.checksum}; it was removed, ` +
        "another pull begins it anew",
    );
  }
  await output.syncData();
  await Deno.rename(partial, blob);
}

/** Gets what is missing, with as many attempts as it takes, and gives the checksum of it all. */
async function complete(
  file: HubFile,
  output: Deno.FsFile,
  options: DownloadOptions,
): Promise<string> {
  const part = new PartialFile(file, output);
  await part.readExisting();
  options.onProgress(part.size);
  for (let failures = 0; part.size < file.sizeBytes;) {
    const before = part.size;
    try {
      await append(part, options);
      if (part.size >= file.sizeBytes) break;
      throw new HubError("the connection was cut", { isTransient: true });
    } catch (error) {
      if (!(error instanceof HubError && error.isTransient)) throw error;
      failures = part.size > before ? 1 : failures + 1;
      if (failures >= MAX_FAILURES) {
        const { size } = part;
        const state = `"${file.name}" stopped after ${size} of ${file.sizeBytes} bytes`;
        throw new HubError(`${state}; another pull goes on from there: ${error.message}`, {
          cause: error,
        });
      }
      await options.delay(1000 * 2 ** (failures - 1));
    }
  }
  return part.checksum();
}

async function append(part: PartialFile, { open, onProgress }: DownloadOptions): Promise<void> {
  const { offset, chunks } = await open(part.size);
  if (offset === 0) await part.restart();
  if (offset !== part.size) {
    throw new HubError(`the hub sends from byte ${offset} on, expected ${part.size}`);
  }
  for await (const chunk of chunks) {
    await part.append(chunk);
    onProgress(part.size);
  }
}

/** The beginning of a file on disk, with the checksum so far. */
class PartialFile {
  readonly #file: HubFile;
  readonly #output: Deno.FsFile;
  #hash: Hash;
  #size = 0;

  constructor(file: HubFile, output: Deno.FsFile) {
    this.#file = file;
    this.#output = output;
    this.#hash = startChecksum(file);
  }

  get size(): number {
    return this.#size;
  }

  /** Takes over what an earlier download left. */
  async readExisting(): Promise<void> {
    const { size } = await this.#output.stat();
    // Nothing of this file: it cannot be longer than the whole.
    if (size > this.#file.sizeBytes) return await this.restart();
    const buffer = new Uint8Array(CHUNK_BYTES);
    await this.#output.seek(0, Deno.SeekMode.Start);
    for (let count; (count = await this.#output.read(buffer)) !== null;) {
      this.#hash.update(buffer.subarray(0, count));
      this.#size += count;
    }
  }

  /** Forgets all of it. */
  async restart(): Promise<void> {
    await this.#output.truncate(0);
    await this.#output.seek(0, Deno.SeekMode.Start);
    this.#hash = startChecksum(this.#file);
    this.#size = 0;
  }

  /** @throws {HubError} If that makes the file longer than it was listed. */
  async append(chunk: Uint8Array): Promise<void> {
    if (this.#size + chunk.length > this.#file.sizeBytes) {
      const { name, sizeBytes } = this.#file;
      throw new HubError(`"${name}" is longer than the ${sizeBytes} bytes that the hub lists`);
    }
    for (let at = 0; at < chunk.length;) at += await this.#output.write(chunk.subarray(at));
    this.#hash.update(chunk);
    this.#size += chunk.length;
  }

  /** Ends the checksum. */
  checksum(): string {
    return this.#hash.digest("hex");
  }
}
