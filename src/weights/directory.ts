import { basename, isAbsolute, join } from "@std/path";
import { CheckpointError, quote } from "./errors.ts";

/** Longest file name taken from an index, in characters. */
const MAX_NAME = 1024;

/** A snapshot in the cache that clients of model hubs share. */
const SNAPSHOT = /^(.*\/models--[^/]+)\/snapshots\/[^/]+$/;

/**
 * The files of one checkpoint directory. Nothing outside it is ever opened, and nothing but regular
 * files: a pipe or a device could block for ever or never end. The files of a snapshot may be links
 * to the blobs of the same model, as other clients make them: those are what was downloaded for it.
 */
export class CheckpointDirectory {
  readonly #path: string;
  /** Free of symbolic links. */
  readonly #root: string;

  /** @throws {CheckpointError} If `path` is not a directory. */
  constructor(path: string) {
    this.#path = path;
    try {
      this.#root = Deno.realPathSync(path);
      if (Deno.statSync(path).isDirectory) return;
    } catch (cause) {
      throw unreadable(".", cause, "the directory");
    }
    throw new CheckpointError(".", "not_a_file", "it is a file, expected a directory");
  }

  /** What it is called, links followed; of a snapshot in a cache, what its model is. */
  get name(): string {
    return basename(SNAPSHOT.exec(this.#root)?.[1] ?? this.#root);
  }

  /** Whether the directory has an entry of this name, even one that cannot be read. */
  has(name: string): boolean {
    try {
      Deno.lstatSync(join(this.#path, name));
      return true;
    } catch (cause) {
      if (cause instanceof Deno.errors.NotFound) return false;
      throw unreadable(name, cause);
    }
  }

  /** Entries of the directory, in no order. */
  names(): string[] {
    try {
      return Array.from(Deno.readDirSync(this.#path), (entry) => entry.name);
    } catch (cause) {
      throw unreadable(".", cause);
    }
  }

  /** Opens a file for reading; the caller closes it. */
  open(name: string): { file: Deno.FsFile; size: number } {
    const path = this.#resolve(name);
    const size = regularFileSize(name, path);
    try {
      return { file: Deno.openSync(path, { read: true }), size };
    } catch (cause) {
      throw unreadable(name, cause);
    }
  }

  /** Reads a whole small file. */
  read(name: string, { maxBytes }: { maxBytes: number }): Uint8Array {
    const { file, size } = this.open(name);
    using _ = file;
    if (size > maxBytes) {
      throw new CheckpointError(
        name,
        "file_too_large",
        `it has ${size} bytes, expected at most ${maxBytes}`,
      );
    }
    const bytes = new Uint8Array(size);
    readFully(name, file, { offset: 0, into: bytes });
    return bytes;
  }

  #resolve(name: string): string {
    const path = join(this.#path, name);
    const places = [this.#root, findBlobs(this.#root) ?? []].flat();
    let real: string;
    try {
      real = Deno.realPathSync(path);
    } catch (cause) {
      throw unreadable(name, cause);
    }
    if (!places.some((place) => isInside(place, real))) {
      throw new CheckpointError(
        name,
        "outside_directory",
        "it is a link that leads outside the directory",
      );
    }
    return path;
  }
}

/**
 * Where the files of a snapshot are kept, which its links lead to.
 *
 * @param path Free of symbolic links.
 * @returns null where the directory is no snapshot of a hub's cache.
 */
export function findBlobs(path: string): string | null {
  const [, model] = SNAPSHOT.exec(path) ?? [];
  return model === undefined ? null : `${model}/blobs`;
}

function isInside(directory: string, path: string): boolean {
  return path.startsWith(directory.endsWith("/") ? directory : `${directory}/`);
}

/** Why a file name found in an index must not be opened, or null. */
export function findUnsafeName(name: string): string | null {
  if (name === "" || name.length > MAX_NAME) return `a name of ${name.length} characters`;
  if (isAbsolute(name) || name.includes("\\")) return `${quote(name)}, an absolute or foreign path`;
  if (name.includes("..")) return `${quote(name)}, which contains ".."`;
  return name.includes("\0") ? `${quote(name)}, which contains a null` : null;
}

/**
 * Fills `into` with the bytes from `offset` on.
 *
 * @throws {CheckpointError} If the file ends before, or the read fails.
 */
export function readFully(
  name: string,
  file: Deno.FsFile,
  { offset, into }: { offset: number; into: Uint8Array },
): void {
  let done = 0;
  try {
    file.seekSync(offset, Deno.SeekMode.Start);
    while (done < into.length) {
      const count = file.readSync(into.subarray(done));
      if (count === null) break;
      done += count;
    }
  } catch (cause) {
    throw unreadable(name, cause);
  }
  if (done < into.length) {
    throw new CheckpointError(
      name,
      "unreadable_file",
      `it ends too early, expected ${offset + into.length} bytes`,
    );
  }
}

function regularFileSize(name: string, path: string): number {
  let info: Deno.FileInfo;
  try {
    info = Deno.statSync(path);
  } catch (cause) {
    throw unreadable(name, cause);
  }
  if (info.isFile) return info.size;
  const kind = info.isDirectory ? "a directory" : "a pipe or device";
  throw new CheckpointError(name, "not_a_file", `it is ${kind}, expected a regular file`);
}

/** The messages of Deno's own errors hold absolute paths, so only their cause keeps them. */
function unreadable(name: string, cause: unknown, subject = "it"): CheckpointError {
  if (cause instanceof Deno.errors.NotFound) {
    return new CheckpointError(name, "missing_file", `${subject} does not exist`, { cause });
  }
  return new CheckpointError(name, "unreadable_file", `${subject} cannot be read`, { cause });
}
