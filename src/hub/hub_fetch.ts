import { abortable } from "@std/async";
import { HubError } from "./errors.ts";

/** How a hub is reached. */
export interface HubAccess {
  /** Its address, without a slash at the end. */
  readonly endpoint: string;
  /** Sent to the hub itself, and to no host that it redirects to. */
  readonly token: string | null;
  readonly fetch: typeof fetch;
  /** Silence after which a connection counts as lost. */
  readonly silenceMs: number;
}

const MAX_REDIRECTS = 8;

/**
 * Makes a `fetch` for one hub, which gives successful responses only.
 *
 * @returns A function that throws {@linkcode HubError}: it says what the hub refuses and why, or
 * that it cannot be reached.
 */
export function hubFetch(access: HubAccess): typeof fetch {
  return async (input, init) => {
    let url = new URL(input instanceof Request ? input.url : input);
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      const response = await fetchOnce(url, access, new Headers(init?.headers));
      const location = response.headers.get("location");
      if (response.status < 300 || response.status >= 400 || location === null) {
        return await expectSuccess(response, access);
      }
      await response.body?.cancel();
      const next = new URL(location, url);
      if (url.protocol === "https:" && next.protocol !== "https:") {
        throw new HubError(`${url.host} redirects to ${next.origin}, which is not encrypted`);
      }
      url = next;
    }
    throw new HubError(`${url.host} redirects more than ${MAX_REDIRECTS} times`);
  };
}

/**
 * Waits for `promise`, but not longer than `ms`.
 *
 * @throws {HubError} A transient one, after that time.
 */
export async function withoutSilence<T>(promise: Promise<T>, ms: number): Promise<T> {
  const controller = new AbortController();
  const lost = new HubError(`nothing came for ${ms / 1000} s`, { isTransient: true });
  const timer = setTimeout(() => controller.abort(lost), ms);
  try {
    return await abortable(promise, controller.signal);
  } finally {
    clearTimeout(timer);
  }
}

async function fetchOnce(
  url: URL,
  { endpoint, token, fetch, silenceMs }: HubAccess,
  headers: Headers,
): Promise<Response> {
  // Ranges and sizes are about the file itself.
  headers.set("accept-encoding", "identity");
  if (token !== null && url.origin === new URL(endpoint).origin) {
    headers.set("authorization", `Bearer ${token}`);
  }
  const controller = new AbortController();
  const init = { headers, redirect: "manual", signal: controller.signal } as const;
  try {
    return await withoutSilence(fetch(url, init), silenceMs);
  } catch (cause) {
    controller.abort();
    if (cause instanceof Deno.errors.NotCapable) {
      throw new HubError(
        `the hub redirects to ${url.host}, which is not among the hosts that may be asked; ` +
          `--redirect-host ${url.host} adds it`,
        { cause },
      );
    }
    if (!(cause instanceof TypeError || cause instanceof HubError)) throw cause;
    throw new HubError(
      `${url.origin} cannot be reached (${cause.message}); without a network, copy the cache of a ` +
        "machine that has one, or set HF_ENDPOINT to a hub within reach",
      { cause, isTransient: true },
    );
  }
}

async function expectSuccess(response: Response, access: HubAccess): Promise<Response> {
  if (response.ok) return response;
  await response.body?.cancel();
  const { status } = response;
  throw new HubError(`${refusal(response, access)} (status ${status} of ${access.endpoint})`, {
    isTransient: status === 429 || status >= 500,
  });
}

function refusal({ status, headers }: Response, { token }: HubAccess): string {
  const code = headers.get("x-error-code");
  if (status === 401 && token === null) {
    return "it does not exist, or only for those who may see it; HF_TOKEN says who asks";
  }
  if (status === 401) return "the hub does not accept the token in HF_TOKEN";
  if (status === 403) return "the hub grants no access; its page there says how to ask for it";
  if (status === 404 && code === "RevisionNotFound") return "it has no such revision";
  if (status === 404 && code === "EntryNotFound") return "a file that was listed is gone";
  if (status === 404) return "there is no such model";
  if (status === 429) return "the hub has had too many requests";
  return "the hub failed";
}
