import { delay } from "@std/async";
import { CachedModel } from "./cache.ts";
import { download, type DownloadOptions } from "./download.ts";
import { HubError } from "./errors.ts";
import type { HubFile } from "./hub_file.ts";
import type { HubAccess } from "./hub_fetch.ts";
import { describeHubModel, type HubModel } from "./hub_model.ts";
import { Repository } from "./repository.ts";

/** What of a repository is pulled, and how. */
export interface PullOptions {
  /** The directory of all models. */
  readonly cache: string;
  readonly access: HubAccess;
  /** The files to get; throws {@linkcode HubError} where there is nothing to use. */
  readonly choose: (files: readonly HubFile[]) => HubFile[];
  /** Called as the bytes of a file come in. */
  readonly onProgress?: (file: HubFile, bytes: number) => void;
  /** Called once a file is there, with the right checksum. */
  readonly onFile?: (file: HubFile) => void;
  /** Waits before another attempt. */
  readonly delay?: DownloadOptions["delay"];
}

/**
 * Downloads a model's files into the cache, those that are there already left out. Only when all
 * are there and as listed does the cache have the model.
 *
 * @returns The directory of the files.
 * @throws {HubError} If the hub does not give them.
 */
export async function pull(model: HubModel, options: PullOptions): Promise<string> {
  const { cache, access, choose, onProgress = () => {} } = options;
  const repository = new Repository(model, access);
  const cached = new CachedModel(cache, model);
  try {
    const commit = await repository.commit();
    const files = choose(await repository.files(commit));
    Deno.mkdirSync(cached.blobs, { recursive: true });
    for (const file of files) {
      await download(file, {
        blobs: cached.blobs,
        open: (offset) => repository.open(file, { commit, offset }),
        onProgress: (bytes) => onProgress(file, bytes),
        delay: options.delay ?? delay,
      });
      options.onFile?.(file);
    }
    return cached.publish(commit, new Map(files.map(({ name, checksum }) => [name, checksum])));
  } catch (cause) {
    if (!(cause instanceof HubError)) throw cause;
    const name = JSON.stringify(describeHubModel(model));
    throw new HubError(`Cannot pull ${name}: ${cause.message}`, { cause });
  }
}
