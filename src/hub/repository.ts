import { listFiles, modelInfo } from "@huggingface/hub";
import { z } from "zod";
import { HubError } from "./errors.ts";
import type { HubFile } from "./hub_file.ts";
import { type HubAccess, hubFetch, withoutSilence } from "./hub_fetch.ts";
import { type HubModel, isCommit } from "./hub_model.ts";

/** What comes of a file from some byte on. */
export interface FileBody {
  /** Where it begins: at the byte asked for, or at 0 from hubs that know no ranges. */
  readonly offset: number;
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** What the names of files may be: they become paths. Those in folders are of no use here. */
const FILE_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}$/;

const size = z.int().min(0);
const Entry = z.object({
  path: z.string(),
  size,
  oid: z.string().regex(/^[0-9a-f]{40}$/),
  lfs: z.object({ oid: z.string().regex(/^[0-9a-f]{64}$/), size }).nullish(),
});

/** A model's repository on a hub. What it cannot do it says with a {@linkcode HubError}. */
export class Repository {
  readonly #model: HubModel;
  readonly #access: HubAccess;
  readonly #fetch: typeof fetch;

  constructor(model: HubModel, access: HubAccess) {
    this.#model = model;
    this.#access = access;
    this.#fetch = hubFetch(access);
  }

  /** The commit that the revision stands for now. */
  async commit(): Promise<string> {
    const { sha } = await modelInfo({
      name: this.#model.id,
      revision: this.#model.revision,
      additionalFields: ["sha"],
      hubUrl: this.#access.endpoint,
      fetch: this.#fetch,
    }).catch(rethrow);
    if (typeof sha === "string" && isCommit(sha)) return sha;
    throw new HubError(`the hub names ${JSON.stringify(sha)} as commit, expected 40 digits`);
  }

  /** The files of a commit that lie in no folder. */
  async files(commit: string): Promise<HubFile[]> {
    const files: HubFile[] = [];
    try {
      const listing = listFiles({
        repo: { type: "model", name: this.#model.id },
        revision: commit,
        hubUrl: this.#access.endpoint,
        fetch: this.#fetch,
      });
      for await (const entry of listing) {
        if (entry.type === "file" && FILE_NAME.test(entry.path)) files.push(toFile(entry));
      }
    } catch (error) {
      rethrow(error);
    }
    return files;
  }

  /** Begins to read a file from byte `offset` on; that is less than its size. */
  async open(
    { name }: HubFile,
    { commit, offset }: { commit: string; offset: number },
  ): Promise<FileBody> {
    const url = `${this.#access.endpoint}/${this.#model.id}/resolve/${commit}/${name}`;
    const headers = offset > 0 ? { range: `bytes=${offset}-` } : undefined;
    const response = await this.#fetch(url, headers ? { headers } : undefined);
    const [, start = "0"] = /^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "") ?? [];
    return { offset: Number(start), chunks: this.#read(response) };
  }

  async *#read({ body }: Response): AsyncGenerator<Uint8Array> {
    if (body === null) return;
    const reader = body.getReader();
    try {
      while (true) {
        const { value, done } = await withoutSilence(reader.read(), this.#access.silenceMs);
        if (done) return;
        yield value;
      }
    } catch (cause) {
      if (cause instanceof HubError || !(cause instanceof Error)) throw cause;
      throw new HubError(`the connection was cut (${cause.message})`, { cause, isTransient: true });
    } finally {
      // Of no consequence: the connection is cut, or all of it was read.
      reader.cancel().catch(() => {});
    }
  }
}

function toFile(entry: unknown): HubFile {
  const { data, error } = Entry.safeParse(entry);
  if (error) {
    const { path = [], message } = error.issues[0] ?? {};
    throw new HubError(`the hub lists a file whose "${path.join(".")}" is unusable (${message})`);
  }
  const { path: name, size, oid, lfs } = data;
  return { name, sizeBytes: lfs?.size ?? size, checksum: lfs?.oid ?? oid };
}

/** What the library cannot make sense of is the hub's doing. */
function rethrow(cause: unknown): never {
  if (cause instanceof HubError) throw cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  throw new HubError(`the hub gives no sensible answer (${message})`, { cause });
}
