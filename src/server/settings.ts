/** What the operator may set: the flags of `serve` that concern HTTP. Times in milliseconds. */
export interface ServerSettings {
  /** Address listened on. Only a loopback address makes the `Host` header matter. */
  readonly host: string;
  readonly port: number;
  /** Keys that open the API; with none of them it is open to everybody. */
  readonly apiKeys: readonly string[];
  /** Origins of pages that may call, exact strings or `*`. */
  readonly corsOrigin: readonly string[];
  /** `Host` values accepted beside those of the loopback interface. */
  readonly allowedHost: readonly string[];
  /** Whether `/metrics` needs no key. */
  readonly metricsPublic: boolean;
  readonly maxBodyBytes: number;
  /** Sequences running at a time. */
  readonly maxConcurrent: number;
  /** Sequences waiting at most. */
  readonly maxQueue: number;
  /** Largest `max_tokens` with `overflow: "slide"`. */
  readonly maxOutputTokens: number;
  /** Finished generations kept for clients that come back. */
  readonly maxRetained: number;
  /** From a request's headers to the end of its body. */
  readonly bodyTimeoutMs: number;
  /** From admission, queueing included, to the end of the generation. */
  readonly requestTimeoutMs: number;
  /** Without a byte taken by the reader of a stream. */
  readonly writeTimeoutMs: number;
  /** Silence on a stream before a comment is sent. */
  readonly keepaliveMs: number;
  readonly drainTimeoutMs: number;
}

/** The settings of a server started without flags. */
export const DEFAULT_SETTINGS: ServerSettings = {
  host: "127.0.0.1",
  port: 8000,
  apiKeys: [],
  corsOrigin: [],
  allowedHost: [],
  metricsPublic: false,
  maxBodyBytes: 1_048_576,
  maxConcurrent: 8,
  maxQueue: 64,
  maxOutputTokens: 16_384,
  maxRetained: 256,
  bodyTimeoutMs: 10_000,
  requestTimeoutMs: 300_000,
  writeTimeoutMs: 30_000,
  keepaliveMs: 10_000,
  drainTimeoutMs: 30_000,
};
