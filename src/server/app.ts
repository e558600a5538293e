import { type Context, Hono, type MiddlewareHandler } from "hono";
import { createLog, type LogWriter } from "../telemetry/log.ts";
import { Metrics } from "../telemetry/metrics.ts";
import { childSpans, describeRequest } from "../telemetry/tracing.ts";
import { access, shareResponses } from "./access.ts";
import { attachToBlocks, deleteBlocks, getBlocks, postBlocks } from "./blocks.ts";
import { postChat } from "./chat.ts";
import { postCompletions } from "./completions.ts";
import type { AppEnv } from "./context.ts";
import { errorResponse, RequestError, STATUS } from "./errors.ts";
import { reportFailure } from "./failures.ts";
import { Generations } from "./generations.ts";
import { health, ready } from "./health.ts";
import { requireKey } from "./keys.ts";
import { LoadedModels, type ModelSource } from "./loaded_models.ts";
import { showMetrics } from "./metrics.ts";
import { listModels, showModel } from "./models.ts";
import { countRun, observeAll, traceRun } from "./observers.ts";
import type { ObservedRun, ServerParts } from "./parts.ts";
import { openApi } from "./openapi.ts";
import { playground } from "./playground.ts";
import { type RandomBytes, requestId } from "./request_id.ts";
import type { RunObserver } from "./run.ts";
import { postScore } from "./score.ts";
import type { ServerSettings } from "./settings.ts";
import { detokenize, tokenize } from "./tokenize.ts";

/** What an app is made of. */
export interface AppOptions {
  /** Models, the default first; a promise while they load. */
  readonly models: ModelSource;
  readonly settings: ServerSettings;
  /** Version of this software. */
  readonly version: string;
  /** Takes log lines. */
  readonly writeLog: LogWriter;
  /** Whether requests that come while the models load wait instead of being refused. */
  readonly waitForModel?: boolean;
  /** Milliseconds since the epoch, never falling. */
  readonly nowMs?: () => number;
  readonly randomBytes?: RandomBytes;
}

/** Bytes of a request target: path and query. */
const LONGEST_TARGET = 8192;

/** The HTTP interface to the models. */
export function createApp(options: AppOptions): Hono<AppEnv> {
  const parts = toParts(options);
  const { models, settings, metrics } = parts;
  const app = new Hono<AppEnv>({ getPath: pathOf });

  app.use(identify(parts), measureHead, shareResponses(settings), access(settings));
  app.use(requireKey(settings), limitTarget);
  mount(app, "/", readable(playground()));
  mount(app, "/health", readable(health));
  mount(app, "/ready", readable(ready(models)));
  mount(app, "/metrics", readable(showMetrics(parts)));
  mount(app, "/openapi.json", readable(openApi(parts)));
  mount(app, "/v1/models", readable(listModels(models)));
  mount(app, "/v1/models/:id", readable(showModel(models)));
  mount(app, "/v1/score", { POST: postScore(parts) });
  mount(app, "/tokenize", { POST: tokenize(parts) });
  mount(app, "/detokenize", { POST: detokenize(parts) });
  // No HEAD: it would start a generation that nobody reads.
  mount(app, "/v1/completions", { POST: postCompletions(parts) });
  mount(app, "/v1/chat/completions", { POST: postChat(parts) });
  const onDrop = (steps: number) => metrics.stepsDropped(steps);
  const blocks = { ...parts, generations: new Generations({ ...settings, onDrop }) };
  mount(app, "/v1/blocks", { GET: getBlocks(blocks), POST: postBlocks(blocks) });
  mount(app, "/v1/blocks/:id", { GET: attachToBlocks(blocks), DELETE: deleteBlocks(blocks) });

  const refuse = (error: RequestError) => {
    metrics.refused(error.code);
    return errorResponse(error);
  };
  app.notFound(() => refuse(new RequestError("route_not_found", "There is no such route")));
  app.onError((error, c) => refuse(reportFailure(error, parts.log, c.get("requestId"))));
  return app;
}

function toParts({ models, settings, version, writeLog, ...options }: AppOptions): ServerParts {
  const nowMs = options.nowMs ?? (() => performance.timeOrigin + performance.now());
  const metrics = new Metrics({
    version,
    startMs: performance.timeOrigin,
    codes: Object.keys(STATUS),
  });
  return {
    models: new LoadedModels(models, { waits: options.waitForModel ?? false }),
    settings,
    version,
    log: createLog(writeLog, nowMs),
    metrics,
    stream: { ...settings, onSlow: () => metrics.streamClosedSlow() },
    nowMs,
    randomBytes: options.randomBytes ?? ((count) => crypto.getRandomValues(new Uint8Array(count))),
    observeRun: (run) => observeRun(run, { metrics, version }),
  };
}

function observeRun(
  run: ObservedRun,
  { metrics, version }: { readonly metrics: Metrics; readonly version: string },
): RunObserver {
  const record = childSpans(version);
  const count = countRun(metrics, run);
  return record === null ? count : observeAll([count, traceRun(record, run)]);
}

/** The path as it was sent: nothing decoded, so that every route has one spelling. */
function pathOf(request: Request): string {
  return /^[^/]*\/\/[^/?]*(\/[^?]*)/.exec(request.url)?.[1] ?? "/";
}

/** Names every request, marks its response, and tells of it when its headers are ready. */
function identify(
  { log, metrics, nowMs, randomBytes }: ServerParts,
): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const beginMs = nowMs();
    const id = requestId(c.req.raw.headers, randomBytes);
    c.set("requestId", id);
    await next();
    c.res.headers.set("X-Request-Id", id);
    c.res.headers.set("X-Content-Type-Options", "nosniff");
    const ms = nowMs() - beginMs;
    const request = { method: c.req.method, route: c.get("route") ?? null, status: c.res.status };
    metrics.answered(request, ms);
    describeRequest({ ...request, requestId: id });
    log("request", { ...request, ms: Math.round(1000 * ms) / 1000, request_id: id });
  };
}

/** Without its body an answer to HEAD would be announced as empty. */
const measureHead: MiddlewareHandler<AppEnv> = async (c, next) => {
  await next();
  if (c.req.method !== "HEAD" || c.res.headers.has("Content-Length")) return;
  const { byteLength } = await c.res.clone().arrayBuffer();
  c.res.headers.set("Content-Length", String(byteLength));
};

const limitTarget: MiddlewareHandler<AppEnv> = async (c, next) => {
  const target = c.req.url.replace(/^[^/]*\/\/[^/?]*/, "");
  const sizeBytes = new TextEncoder().encode(target).byteLength;
  if (sizeBytes > LONGEST_TARGET) {
    const message =
      `The request target must have at most ${LONGEST_TARGET} bytes, got ${sizeBytes}`;
    throw new RequestError("uri_too_long", message);
  }
  await next();
};

type Handler = (c: Context<AppEnv>) => Response | Promise<Response>;
type Methods = Readonly<Record<string, Handler>>;

/** A resource that is only read. */
function readable(handler: Handler): Methods {
  return { GET: handler, HEAD: handler };
}

/** Serves `path` with one handler per method, and refuses all other methods. */
function mount(app: Hono<AppEnv>, path: string, methods: Methods): void {
  app.all(path, (c) => {
    c.set("route", path);
    if (Object.hasOwn(methods, c.req.method)) return methods[c.req.method]!(c);
    const allowed = Object.keys(methods).join(", ");
    throw new RequestError("method_not_allowed", `The methods of this path are ${allowed}`, {
      headers: { Allow: allowed },
    });
  });
}
