import { type Context, Hono, type MiddlewareHandler } from "hono";
import { createLog, type LogWriter } from "../telemetry/log.ts";
import { access } from "./access.ts";
import { attachToBlocks, deleteBlocks, getBlocks, postBlocks } from "./blocks.ts";
import { postChat } from "./chat.ts";
import { postCompletions } from "./completions.ts";
import type { AppEnv } from "./context.ts";
import { errorResponse, RequestError } from "./errors.ts";
import { reportFailure } from "./failures.ts";
import { Generations } from "./generations.ts";
import { health, ready } from "./health.ts";
import { requireKey } from "./keys.ts";
import { LoadedModels, type ModelSource } from "./loaded_models.ts";
import { listModels, showModel } from "./models.ts";
import { openApi } from "./openapi.ts";
import type { ServerParts } from "./parts.ts";
import { type RandomBytes, requestId } from "./request_id.ts";
import type { RunObserver } from "./run.ts";
import type { ServerSettings } from "./settings.ts";

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

const UNOBSERVED: RunObserver = {
  admitted() {},
  prefilled() {},
  block() {},
  ended() {},
};

/** Bytes of a request target: path and query. */
const LONGEST_TARGET = 8192;

/** The HTTP interface to the models. */
export function createApp(options: AppOptions): Hono<AppEnv> {
  const parts = toParts(options);
  const { models, settings } = parts;
  const app = new Hono<AppEnv>({ getPath: pathOf });

  app.use(identify(parts), access(settings), requireKey(settings.apiKeys), limitTarget);
  mount(app, "/health", readable(health));
  mount(app, "/ready", readable(ready(models)));
  mount(app, "/openapi.json", readable(openApi(parts)));
  mount(app, "/v1/models", readable(listModels(models)));
  mount(app, "/v1/models/:id", readable(showModel(models)));
  // No HEAD: it would start a generation that nobody reads.
  mount(app, "/v1/completions", { POST: postCompletions(parts) });
  mount(app, "/v1/chat/completions", { POST: postChat(parts) });
  const blocks = { ...parts, generations: new Generations(settings) };
  mount(app, "/v1/blocks", { GET: getBlocks(blocks), POST: postBlocks(blocks) });
  mount(app, "/v1/blocks/:id", { GET: attachToBlocks(blocks), DELETE: deleteBlocks(blocks) });

  app.notFound(() => errorResponse(new RequestError("route_not_found", "There is no such route")));
  app.onError((error, c) => errorResponse(reportFailure(error, parts.log, c.get("requestId"))));
  return app;
}

function toParts({ models, settings, version, writeLog, ...options }: AppOptions): ServerParts {
  const nowMs = options.nowMs ?? (() => performance.timeOrigin + performance.now());
  return {
    models: new LoadedModels(models, { waits: options.waitForModel ?? false }),
    settings,
    version,
    log: createLog(writeLog, nowMs),
    nowMs,
    randomBytes: options.randomBytes ?? ((count) => crypto.getRandomValues(new Uint8Array(count))),
    observeRun: () => UNOBSERVED,
  };
}

/** The path as it was sent: nothing decoded, so that every route has one spelling. */
function pathOf(request: Request): string {
  return /^[^/]*\/\/[^/?]*(\/[^?]*)/.exec(request.url)?.[1] ?? "/";
}

/** Names every request, marks its response, and logs it when its headers are ready. */
function identify({ log, nowMs, randomBytes }: ServerParts): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const beginMs = nowMs();
    const id = requestId(c.req.raw.headers, randomBytes);
    c.set("requestId", id);
    await next();
    c.res.headers.set("X-Request-Id", id);
    c.res.headers.set("X-Content-Type-Options", "nosniff");
    log("request", {
      method: c.req.method,
      route: c.get("route") ?? null,
      status: c.res.status,
      ms: Math.round(1000 * (nowMs() - beginMs)) / 1000,
      request_id: id,
    });
  };
}

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
