import { timingSafeEqual } from "@std/crypto";
import type { MiddlewareHandler } from "hono";
import type { AppEnv } from "./context.ts";
import { RequestError } from "./errors.ts";
import type { ServerSettings } from "./settings.ts";

/** Paths that need no key. Compared with the path as the router sees it, so none has two names. */
const OPEN_PATHS: readonly string[] = ["/", "/health", "/ready"];

/** Refuses requests without one of `apiKeys`; without any configured all requests pass. */
export function requireKey(
  { apiKeys, metricsPublic }: Pick<ServerSettings, "apiKeys" | "metricsPublic">,
): MiddlewareHandler<AppEnv> {
  const openPaths = metricsPublic ? [...OPEN_PATHS, "/metrics"] : OPEN_PATHS;
  const known = Promise.all(apiKeys.map(digest));
  return async (c, next) => {
    c.set("owner", "");
    if (apiKeys.length === 0 || openPaths.includes(c.req.path)) return await next();
    const header = c.req.header("authorization");
    if (header === undefined) throw unauthorized("missing_api_key", "An API key is required");
    const key = /^bearer +([\x21-\x7e]{1,256})$/i.exec(header)?.[1];
    const given = await digest(key ?? "");
    if (key === undefined || !isAmong(await known, given)) {
      throw unauthorized("invalid_api_key", "The API key is not valid");
    }
    c.set("owner", new Uint8Array(given).toHex());
    await next();
  };
}

/** Visits every key, so that the time says neither which one matched nor where one differs. */
function isAmong(known: readonly ArrayBuffer[], given: ArrayBuffer): boolean {
  return known.map((each) => timingSafeEqual(each, given)).includes(true);
}

function digest(key: string): Promise<ArrayBuffer> {
  return crypto.subtle.digest("SHA-256", new TextEncoder().encode(key));
}

function unauthorized(code: "missing_api_key" | "invalid_api_key", message: string): RequestError {
  return new RequestError(code, message, { headers: { "WWW-Authenticate": "Bearer" } });
}
