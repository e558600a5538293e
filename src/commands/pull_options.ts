import { CACHE_VARIABLES, type Environment, findCache } from "../hub/cache.ts";
import { HubError } from "../hub/errors.ts";
import { type HubModel, isRevision, MAIN, parseHubModel } from "../hub/hub_model.ts";
import {
  describeSettings,
  type Kind,
  optional,
  readSettings,
  repeatable,
  UsageError,
} from "./flags.ts";

/** The variables that `pull` reads. */
export const PULL_VARIABLES = ["HF_ENDPOINT", "HF_TOKEN", "HF_HUB_OFFLINE", ...CACHE_VARIABLES];

/** Where the public hub keeps large files: it redirects to hosts of these names. */
export const STORAGE_HOSTS = ["*.hf.co", "*.huggingface.co"];

const PUBLIC_HUB = "https://huggingface.co";

const revision: Kind<string> = {
  placeholder: "REVISION",
  expected: "a branch, a tag or a commit",
  parse: (text) => isRevision(text) ? text : undefined,
};
// It becomes part of a permission, where a comma would add another.
const host: Kind<string> = {
  placeholder: "HOST",
  expected: 'a host such as "storage.example.com" or "*.example.com:8443"',
  parse: (text) => /^(\*\.)?[a-z0-9._-]+(:\d{1,5})?$/i.test(text) ? text : undefined,
};

const SETTINGS = {
  revision: optional(revision, `branch, tag or commit; else ${MAIN}`),
  redirectHost: repeatable(host, "where else the hub may redirect to; the public one's are known"),
};

/** The text for `--help`. */
export const PULL_HELP = `Downloads a model from a hub into the cache that hub clients share.

Usage: deno task pull ORGANISATION/NAME [FLAGS]

${describeSettings(SETTINGS)}

In the environment: HF_TOKEN says who asks, HF_ENDPOINT is another hub than ${PUBLIC_HUB},
HF_HOME or HF_HUB_CACHE is where the cache is, and HF_HUB_OFFLINE=1 asks nobody. What is cut off
goes on where it stopped; \`serve --model ORGANISATION/NAME\` finds what is complete.
`;

/** What the command line of `pull` and its environment ask for. */
export interface PullOptions {
  readonly model: HubModel;
  readonly redirectHosts: readonly string[];
  /** Without a slash at its end. */
  readonly endpoint: string;
  readonly token: string | null;
  readonly cache: string;
  readonly isOffline: boolean;
}

/**
 * Reads the command line of `pull`.
 *
 * @throws {UsageError} If it names no model, or a flag or variable does not fit.
 */
export function parsePullOptions(args: readonly string[], environment: Environment): PullOptions {
  const { values, positional } = readSettings(SETTINGS, args, {});
  const model = parseHubModel(positional[0] ?? "");
  if (model === null || positional.length > 1) {
    const found = JSON.stringify(positional.join(" "));
    throw new UsageError(`Cannot pull ${found}: expected one model, ORGANISATION/NAME`);
  }
  return {
    model: { ...model, revision: values.revision ?? model.revision },
    redirectHosts: values.redirectHost,
    endpoint: readEndpoint(environment),
    token: environment.HF_TOKEN?.trim() || null,
    cache: cacheOf(environment),
    isOffline: /^(1|on|yes|true)$/i.test(environment.HF_HUB_OFFLINE ?? ""),
  };
}

/**
 * Where the cache is.
 *
 * @throws {UsageError} If nothing says so.
 */
export function cacheOf(environment: Environment): string {
  try {
    return findCache(environment);
  } catch (error) {
    if (error instanceof HubError) throw new UsageError(error.message, { cause: error });
    throw error;
  }
}

function readEndpoint({ HF_ENDPOINT: text }: Environment): string {
  const url = URL.parse(text || PUBLIC_HUB);
  if (url !== null && /^https?:$/.test(url.protocol) && !url.host.includes(",")) {
    return (url.origin + url.pathname).replace(/\/+$/, "");
  }
  throw new UsageError(
    `Cannot read HF_ENDPOINT: value is ${JSON.stringify(text)}, expected a URL such as ` +
      `"${PUBLIC_HUB}"`,
  );
}
