import { assert, assertEquals } from "@std/assert";
import { BusyError } from "../../../src/engine/request.ts";
import type { Scoring } from "../../../src/engine/score.ts";
import {
  type DocumentedOperation,
  exampleApp,
  examplesOf,
  MODEL,
  SchemaChecker,
  SERVED,
  toWire,
  type WireRequest,
} from "./api.ts";

const checker = new SchemaChecker();

type AppOptions = Parameters<typeof exampleApp>[0];

/** How a request is refused with a code: what the app is like, and what is done to the request. */
interface Refusal {
  readonly code: string;
  /** The operations that may be refused so. */
  isFor(operation: DocumentedOperation): boolean;
  readonly app?: () => AppOptions;
  readonly change?: (request: WireRequest) => WireRequest;
}

const GENERATING = ["/v1/completions", "/v1/chat/completions", "/v1/blocks"];
const isAny = () => true;
const isPrivate = ({ path }: DocumentedOperation) => !["/", "/health", "/ready"].includes(path);
const hasBody = ({ body }: DocumentedOperation) => body !== undefined;
const generates = ({ path }: DocumentedOperation) => GENERATING.includes(path);
const scores = ({ path }: DocumentedOperation) => path === "/v1/score";
const computes = (operation: DocumentedOperation) => generates(operation) || scores(operation);
const usesModels = (operation: DocumentedOperation) =>
  computes(operation) || /^\/(v1\/models|tokenize|detokenize)/.test(operation.path);

function withHeader(name: string, value: string) {
  return ({ url, init }: WireRequest): WireRequest => {
    const headers = new Headers(init.headers);
    headers.set(name, value);
    return { url, init: { ...init, headers } };
  };
}

function withBody(body: BodyInit) {
  return ({ url, init }: WireRequest): WireRequest => ({ url, init: { ...init, body } });
}

function withScript(script: NonNullable<NonNullable<AppOptions>["script"]>): AppOptions {
  return { script: { model: { id: MODEL }, ...script } };
}

const endless = () => new ReadableStream<Uint8Array>();
const never = () => new Promise<void>(() => {});

/** A scoring that ends when it is cancelled. */
function endlessScoring(): Scoring {
  const { promise, resolve } = Promise.withResolvers<null>();
  return { scores: promise, cancel: () => resolve(null) };
}

const REFUSALS: readonly Refusal[] = [
  { code: "missing_api_key", isFor: isPrivate, app: () => ({ settings: { apiKeys: ["a"] } }) },
  {
    code: "invalid_api_key",
    isFor: isPrivate,
    app: () => ({ settings: { apiKeys: ["a"] } }),
    change: withHeader("authorization", "Bearer b"),
  },
  { code: "host_not_allowed", isFor: isAny, change: withHeader("host", "example.com") },
  { code: "origin_not_allowed", isFor: isAny, change: withHeader("origin", "http://example.com") },
  {
    code: "uri_too_long",
    isFor: isAny,
    change: ({ url, init }) => ({ url: `${url}?${"x".repeat(8192)}`, init }),
  },
  { code: "invalid_json", isFor: hasBody, change: withBody("{") },
  { code: "invalid_unicode", isFor: hasBody, change: withBody('{"prompt":"\\ud800"}') },
  { code: "invalid_utf8", isFor: hasBody, change: withBody(Uint8Array.of(0xff)) },
  {
    code: "unsupported_media_type",
    isFor: hasBody,
    change: withHeader("content-type", "text/plain"),
  },
  {
    code: "unsupported_content_encoding",
    isFor: hasBody,
    change: withHeader("content-encoding", "gzip"),
  },
  { code: "request_too_large", isFor: hasBody, app: () => ({ settings: { maxBodyBytes: 9 } }) },
  {
    code: "request_timeout",
    isFor: hasBody,
    app: () => ({ settings: { bodyTimeoutMs: 1 } }),
    change: ({ url, init }) => ({ url, init: { ...init, body: endless() } }),
  },
  { code: "model_loading", isFor: usesModels, app: () => ({ models: new Promise(() => {}) }) },
  {
    code: "device_lost",
    isFor: usesModels,
    app: () => ({ models: Promise.reject(new Error("no")), waitForModel: true }),
  },
  ...(["queue_full", "draining", "device_lost", "model_loading"] as const).map((code) => ({
    code,
    isFor: computes,
    app: () => withScript({ refusal: new BusyError(code) }),
  })),
  {
    code: "internal_error",
    isFor: computes,
    app: () => withScript({ refusal: new TypeError("no") }),
  },
  {
    code: "generation_timeout",
    isFor: computes,
    app: () => ({
      ...withScript({ beforeStep: never, scoring: endlessScoring }),
      settings: { requestTimeoutMs: 1 },
    }),
  },
  {
    code: "generation_not_found",
    isFor: ({ path }) => path.startsWith("/v1/blocks"),
    change: withHeader("last-event-id", "blk_V2h5IGFyZSB5b3UgaGVyZQ.0"),
  },
];

/** A request of the operation that is answered at once, as a whole. */
function wholeRequest(operation: DocumentedOperation): WireRequest {
  const examples = examplesOf(operation);
  const isWhole = examples.find(({ body, parameters }) => (body ?? parameters).stream === false);
  const { body, parameters } = isWhole ?? examples[0]!;
  return toWire(operation, { body, values: parameters });
}

for (const { code, isFor, app, change } of REFUSALS) {
  const operations = SERVED.filter(isFor);
  const names = operations.length === 1 ? operations[0]!.name : `${operations.length} operations`;
  Deno.test(`${code} is documented where it is the answer: ${names}`, async () => {
    assert(operations.length > 0);
    for (const operation of operations) {
      const { send } = exampleApp(app?.());
      const request = wholeRequest(operation);
      const { url, init } = change?.(request) ?? request;
      const response = await send(url, init);
      const documented = operation.responses[response.status];
      const answer = await response.json();
      assertEquals([operation.name, answer.error.code], [operation.name, code]);
      assert(documented, `${operation.name}: ${response.status} is not documented`);
      const { schema } = documented.content["application/json"];
      assertEquals([operation.name, checker.problems(schema, answer)], [operation.name, []]);
      for (const header of Object.keys(documented.headers)) {
        assert(response.headers.has(header), `${operation.name} has no ${header}`);
      }
    }
  });
}
