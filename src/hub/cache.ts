import { dirname, join } from "@std/path";
import { HubError } from "./errors.ts";
import { type HubModel, isCommit } from "./hub_model.ts";

/** Environment variables by name, those absent left out. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The variables that say where the cache is. */
export const CACHE_VARIABLES = [
  "HF_HUB_CACHE",
  "HUGGINGFACE_HUB_CACHE",
  "HF_HOME",
  "XDG_CACHE_HOME",
  "HOME",
  "USERPROFILE",
];

/**
 * Where hub clients of this user keep what they have downloaded.
 *
 * Source: huggingface_hub, `constants.py`, "HF_HUB_CACHE".
 *
 * @throws {HubError} If there is not even a home directory.
 */
export function findCache(environment: Environment): string {
  const own = environment.HF_HUB_CACHE || environment.HUGGINGFACE_HUB_CACHE;
  if (own) return own;
  if (environment.HF_HOME) return join(environment.HF_HOME, "hub");
  if (environment.XDG_CACHE_HOME) return join(environment.XDG_CACHE_HOME, "huggingface", "hub");
  const home = environment.HOME || environment.USERPROFILE;
  if (home) return join(home, ".cache", "huggingface", "hub");
  throw new HubError("Cannot find the cache of models: HOME is unset, expected that or HF_HOME");
}

/**
 * One model's folder in the cache, which is laid out as hub clients share it: `blobs` holds files by
 * their checksum, `snapshots` directories by commit, and `refs` the commit of each branch and tag.
 */
export class CachedModel {
  readonly blobs: string;
  readonly #path: string;
  readonly #revision: string;

  constructor(cache: string, { id, revision }: HubModel) {
    this.#path = join(cache, `models--${id.replace("/", "--")}`);
    this.blobs = join(this.#path, "blobs");
    this.#revision = revision;
  }

  /** The directory of the revision's files; null where there is none. */
  find(): string | null {
    const commit = isCommit(this.#revision) ? this.#revision : this.#readRef();
    if (commit === null) return null;
    const snapshot = this.#snapshot(commit);
    return exists(snapshot) ? snapshot : null;
  }

  /**
   * Gives blobs their names in the snapshot of a commit, and the revision that commit: only now
   * {@linkcode find} finds it.
   *
   * @param files Blobs by the name that the file is to have.
   * @returns The directory of the files.
   */
  publish(commit: string, files: ReadonlyMap<string, string>): string {
    const snapshot = this.#snapshot(commit);
    Deno.mkdirSync(snapshot, { recursive: true });
    for (const [name, blob] of files) link(join(this.blobs, blob), join(snapshot, name));
    if (this.#revision !== commit) this.#writeRef(commit);
    return snapshot;
  }

  #snapshot(commit: string): string {
    return join(this.#path, "snapshots", commit);
  }

  #ref(): string {
    return join(this.#path, "refs", this.#revision);
  }

  #readRef(): string | null {
    try {
      const commit = Deno.readTextFileSync(this.#ref()).trim();
      // It becomes part of a path.
      return isCommit(commit) ? commit : null;
    } catch (error) {
      if (isAbsent(error)) return null;
      throw error;
    }
  }

  #writeRef(commit: string): void {
    const ref = this.#ref();
    Deno.mkdirSync(dirname(ref), { recursive: true });
    Deno.writeTextFileSync(`${ref}.new`, commit);
    Deno.renameSync(`${ref}.new`, ref);
  }
}

/** Whether there is something at `path`; a link that leads nowhere is nothing. */
export function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}

function isAbsent(error: unknown): boolean {
  // A file where a directory should be, as in "models/file/name", is no such thing either.
  return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory ||
    error instanceof Deno.errors.IsADirectory;
}

/**
 * A second name of the same file. Other clients make symbolic links here, which Deno lets nobody do
 * who may not write everywhere; for whoever reads, a hard link is the same.
 */
function link(blob: string, path: string): void {
  if (exists(path)) return;
  try {
    // What is left is a symbolic link to a blob that was deleted.
    Deno.removeSync(path);
  } catch (error) {
    if (!isAbsent(error)) throw error;
  }
  try {
    Deno.linkSync(blob, path);
  } catch {
    // Some file systems know no links of any kind.
    Deno.copyFileSync(blob, path);
  }
}
