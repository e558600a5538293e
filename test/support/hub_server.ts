import { createHash } from "node:crypto";

/** A repository of the test hub: one commit, on the branch `main`. */
export interface HubRepository {
  readonly id: string;
  readonly files: Readonly<Record<string, Uint8Array | string>>;
  /** Whether it is shown to those with {@linkcode HubServer.TOKEN} only. */
  readonly isPrivate?: boolean;
}

/** What a request to the test hub asked for. */
export interface HubRequest {
  readonly path: string;
  readonly range: string | null;
  readonly authorization: string | null;
}

/** What goes wrong with one file. */
export interface HubFault {
  /** Bytes after which connections are cut, one each. */
  readonly cuts?: number[];
  /** Sent in place of the content that the listing tells of. */
  readonly content?: Uint8Array;
  /** Whether the whole file comes whatever range is asked for. */
  readonly ignoresRanges?: boolean;
  /** Status of every answer. */
  readonly status?: number;
  /** Whether nothing comes after the headers. */
  readonly isSilent?: boolean;
}

/**
 * A small hub on a loopback port: the three calls that a pull makes, with ranges. Large files come
 * from a second port, to which it redirects as the real one does.
 *
 * Source: huggingface_hub, `hf_api.py` and `file_download.py`.
 */
export class HubServer implements AsyncDisposable {
  static readonly TOKEN = "token-of-a-test";
  static readonly COMMIT = "0123456789abcdef0123456789abcdef01234567";
  readonly requests: HubRequest[] = [];
  /** What the second port was asked. */
  readonly storageRequests: HubRequest[] = [];
  /** By file name. */
  readonly faults: Record<string, HubFault> = {};
  readonly #repositories: Map<string, HubRepository>;
  readonly #hub: Deno.HttpServer<Deno.NetAddr>;
  readonly #storage: Deno.HttpServer<Deno.NetAddr>;

  constructor(...repositories: HubRepository[]) {
    this.#repositories = new Map(repositories.map((each) => [each.id, each]));
    const quiet = { hostname: "127.0.0.1", port: 0, onListen() {}, onError: () => new Response() };
    this.#hub = Deno.serve(quiet, (request) => this.#answer(request));
    this.#storage = Deno.serve(quiet, (request) => {
      this.storageRequests.push(recordOf(request));
      const [, id, name] = /^\/(.+)\/([^/]+)$/.exec(new URL(request.url).pathname)!;
      return this.#send(this.#repositories.get(id!)!, name!, request);
    });
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.#hub.addr.port}`;
  }

  get storageHost(): string {
    return `127.0.0.1:${this.#storage.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#hub.shutdown(), this.#storage.shutdown()]);
  }

  #answer(request: Request): Response {
    this.requests.push(recordOf(request));
    const { pathname } = new URL(request.url);
    const [, api, id = "", call, revision = "", name] =
      /^\/(api\/models\/)?([^/]+\/[^/]+)\/(revision|tree|resolve)\/([^/]+)(?:\/(.+))?$/
        .exec(pathname) ?? [];
    const repository = this.#repositories.get(id);
    if (!repository) return refuse(401, "RepoNotFound");
    const isKnown = request.headers.get("authorization") === `Bearer ${HubServer.TOKEN}`;
    if (repository.isPrivate && !isKnown) return refuse(401, "RepoNotFound");
    if (revision !== "main" && revision !== HubServer.COMMIT) {
      return refuse(404, "RevisionNotFound");
    }
    if (api && call === "revision") {
      return Response.json({ _id: "1", id, sha: HubServer.COMMIT, lastModified: "2025-01-01" });
    }
    if (api && call === "tree") return Response.json(listing(repository));
    if (name === undefined || !(name in repository.files)) return refuse(404, "EntryNotFound");
    if (!isLarge(name)) return this.#send(repository, name, request);
    return new Response(null, {
      status: 302,
      headers: {
        location: `http://${this.storageHost}/${id}/${name}`,
        "x-repo-commit": HubServer.COMMIT,
        "x-linked-etag": `"${checksumOf(name, bytesOf(repository.files[name]!))}"`,
        "x-linked-size": String(bytesOf(repository.files[name]!).length),
      },
    });
  }

  #send({ files }: HubRepository, name: string, request: Request): Response {
    const fault = this.faults[name] ?? {};
    if (fault.status) return new Response("down", { status: fault.status });
    const content = fault.content ?? bytesOf(files[name]!);
    const [, from] = /^bytes=(\d+)-$/.exec(request.headers.get("range") ?? "") ?? [];
    const isRange = from !== undefined && !fault.ignoresRanges;
    const start = isRange ? Number(from) : 0;
    const rest = content.slice(start);
    const cut = fault.cuts?.shift();
    const whole = fault.isSilent ? new ReadableStream() : rest;
    return new Response(cut === undefined ? whole : cutBody(rest.slice(0, cut)), {
      status: isRange ? 206 : 200,
      headers: {
        etag: `"${checksumOf(name, bytesOf(files[name]!))}"`,
        "accept-ranges": "bytes",
        ...(isRange
          ? { "content-range": `bytes ${start}-${content.length - 1}/${content.length}` }
          : {}),
      },
    });
  }
}

function cutBody(bytes: Uint8Array<ArrayBuffer>): ReadableStream {
  const parts = bytes.length > 0 ? [bytes] : [];
  return new ReadableStream({
    pull(controller) {
      const part = parts.shift();
      if (part) controller.enqueue(part);
      else controller.error(new Error("cut"));
    },
  }, { highWaterMark: 0 });
}

/** Name of a file's blob: Git's SHA-1 for small files, SHA-256 for large ones. */
export function checksumOf(name: string, bytes: Uint8Array): string {
  return isLarge(name)
    ? createHash("sha256").update(bytes).digest("hex")
    : createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
}

function listing({ files }: HubRepository): unknown[] {
  return Object.entries(files).map(([path, content]) => {
    const bytes = bytesOf(content);
    const checksum = checksumOf(path, bytes);
    const size = bytes.length;
    if (path.includes("/")) return { type: "directory", oid: "0".repeat(40), size: 0, path };
    return isLarge(path)
      ? {
        ...{ type: "file", oid: "f".repeat(40), size, path },
        lfs: { oid: checksum, size, pointerSize: 134 },
      }
      : { type: "file", oid: checksum, size, path };
  });
}

function isLarge(name: string): boolean {
  return name.endsWith(".safetensors");
}

function bytesOf(content: Uint8Array | string): Uint8Array<ArrayBuffer> {
  return typeof content === "string" ? new TextEncoder().encode(content) : Uint8Array.from(content);
}

function refuse(status: number, code: string): Response {
  return new Response(null, { status, headers: { "x-error-code": code } });
}

function recordOf({ url, headers }: Request): HubRequest {
  return {
    path: new URL(url).pathname,
    range: headers.get("range"),
    authorization: headers.get("authorization"),
  };
}
