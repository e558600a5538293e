import type { Context, MiddlewareHandler } from "hono";
import type { AppEnv } from "./context.ts";
import { RequestError, show } from "./errors.ts";

/** Who may call, seen by a browser. */
export interface AccessSettings {
  readonly host: string;
  readonly allowedHost: readonly string[];
  readonly corsOrigin: readonly string[];
}

const METHODS = "GET, POST, DELETE, OPTIONS";
const EXPOSED_HEADERS = "X-Request-Id, Retry-After";

/** Paths that a link on a foreign page may lead to. */
const OPEN_TO_NAVIGATION: readonly string[] = ["/", "/health", "/ready"];

/**
 * Refuses hosts and origins that are not allowed, and answers preflights.
 *
 * Source: WHATWG Fetch, section 3.3 "CORS protocol".
 */
export function access(settings: AccessSettings): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    checkHost(c.req.header("host"), settings);
    checkOrigin(c, settings);
    if (c.req.method === "OPTIONS") c.res = preflight(c);
    else await next();
  };
}

/** Lets allowed origins read every response, errors of {@linkcode access} included. */
export function shareResponses(settings: AccessSettings): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    await next();
    const origin = c.req.header("origin");
    if (origin === undefined || !isAllowedOrigin(origin, c, settings)) return;
    const { headers } = c.res;
    headers.set("Access-Control-Allow-Origin", settings.corsOrigin.includes("*") ? "*" : origin);
    headers.append("Vary", "Origin");
    headers.set("Access-Control-Expose-Headers", EXPOSED_HEADERS);
  };
}

/** Defeats DNS rebinding: a foreign name that resolves to the loopback interface stays foreign. */
function checkHost(host: string | undefined, settings: AccessSettings): void {
  if (!isLoopback(settings.host)) return;
  const given = host?.toLowerCase() ?? "";
  const name = given.replace(/:\d+$/, "");
  const allowed = settings.allowedHost.map((each) => each.toLowerCase());
  if (["localhost", "127.0.0.1", "[::1]", ...allowed].includes(name)) return;
  if (allowed.includes(given) && given !== "") return;
  const message = `The host ${show(host ?? "")} is not allowed`;
  throw new RequestError("host_not_allowed", message);
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host === "[::1]" || /^127\./.test(host);
}

function checkOrigin(c: Context<AppEnv>, settings: AccessSettings): void {
  const origin = c.req.header("origin");
  if (origin === undefined) {
    if (c.req.header("sec-fetch-site") !== "cross-site" || isNavigation(c)) return;
    throw new RequestError("origin_not_allowed", "Requests from foreign pages are not allowed");
  }
  if (isAllowedOrigin(origin, c, settings)) return;
  throw new RequestError("origin_not_allowed", `The origin ${show(origin)} is not allowed`);
}

function isAllowedOrigin(
  origin: string,
  c: Context<AppEnv>,
  { corsOrigin }: AccessSettings,
): boolean {
  if (corsOrigin.includes(origin)) return true;
  // "null" is what every sandboxed page sends, so neither `*` nor "same-origin" means it.
  if (origin === "null") return false;
  // Behind a proxy that speaks TLS the scheme seen here is not the browser's, but it tells itself.
  return corsOrigin.includes("*") || origin === `http://${c.req.header("host")}` ||
    c.req.header("sec-fetch-site") === "same-origin";
}

function isNavigation(c: Context<AppEnv>): boolean {
  const mode = c.req.header("sec-fetch-mode") ?? "navigate";
  const target = c.req.header("sec-fetch-dest") ?? "document";
  const isRead = c.req.method === "GET" || c.req.method === "HEAD";
  return isRead && mode === "navigate" && target === "document" &&
    OPEN_TO_NAVIGATION.includes(c.req.path);
}

function preflight(c: Context<AppEnv>): Response {
  const requested = (c.req.header("access-control-request-headers") ?? "").split(",")
    .map((name) => name.trim())
    .filter((name) => /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name));
  const headers = new Headers({
    "Access-Control-Allow-Methods": METHODS,
    "Access-Control-Max-Age": "600",
  });
  if (requested.length > 0) headers.set("Access-Control-Allow-Headers", requested.join(", "));
  return new Response(null, { status: 204, headers });
}
