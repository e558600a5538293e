import { basename, fromFileUrl } from "@std/path";
import { keysOfEnvironment, keysOfFile } from "./api_keys.ts";
import { CAPACITY, MAX_SEQUENCES } from "./capacity.ts";
import {
  argumentsOf,
  describeSettings,
  integer,
  type Kind,
  oneOf,
  optional,
  readSettings,
  repeatable,
  setting,
  text,
  toggle,
  UsageError,
  variableOf,
} from "./flags.ts";
import type { ServerSettings } from "../server/settings.ts";
import { WEIGHT_FORMATS, type WeightFormat } from "../weights/formats.ts";

/** A checkpoint directory and the name that requests know it by. */
export interface ModelSource {
  readonly id: string;
  readonly directory: string;
  /** Where the tokenizer is, should the checkpoint have none. */
  readonly tokenizer?: string;
}

/** Everything that `serve` can be told; frozen. */
export interface Config extends ServerSettings {
  /** At least one; the first is the default model. */
  readonly models: readonly ModelSource[];
  /** Storage on the device; `null` keeps half-precision files as f16 and the others as f32. */
  readonly weights: WeightFormat | null;
  /** Whether kernels are measured at the start, for choices to go by that. */
  readonly tune: boolean;
  /** Whether keys and values are kept for prompts that begin alike. */
  readonly prefixCache: boolean;
  /** Devices that share a model's sequences; `null` is one. */
  readonly engines: number | null;
  /** What a sequence may take at most where it cannot slide. */
  readonly context: number;
  /** `null` takes the model's own. */
  readonly chatTemplate: "plain" | null;
  /** Where some of `apiKeys` come from. */
  readonly apiKeyFile: string | null;
  /** Memory of the device in bytes where the launcher could find it out. */
  readonly deviceMemoryBytes: number | null;
}

/** The checkpoint that ships with the project. */
export const SHIPPED_MODEL: ModelSource = {
  id: "tinystories-bd3lm",
  directory: fromFileUrl(new URL("../../models/tinystories-bd3lm", import.meta.url)),
};

// setTimeout() fires at once for anything longer.
const MAX_TIMEOUT_MS = 2 ** 31 - 1;
// With the longest context, half of the positions that rotary tables reach.
const MAX_OUTPUT_TOKENS = 1_000_000;
const MAX_ENGINES = 256;
/** An id before a directory. */
const NAMED = /^([^=]*)=([^]*)$/;
const duration = integer(1, MAX_TIMEOUT_MS);

// A comma or a space would add a second entry to the permission that is made of it.
const host = matching(
  "ADDRESS",
  "a host name or an IP address",
  /^[a-z0-9._-]+$|^\[?[0-9a-f:.]+\]?$/i,
);
const origin = matching(
  "ORIGIN",
  'an origin such as "https://example.com" in lower case without a path, "null" or "*"',
  /^(\*|null|[a-z][a-z0-9+.-]*:\/\/[^/\\\s,?#@A-Z]+)$/,
);
const hostHeader = matching("HOST", 'a Host header such as "example.com"', /^[^\s/,@]+$/);
const model: Kind<ModelSource> = {
  placeholder: "[ID=]DIR",
  expected: "a directory with a name of its own, or id=directory",
  parse: parseModel,
};
const tokenizer: Kind<TokenizerSource> = {
  placeholder: "[ID=]DIR",
  expected: "a directory, or id=directory",
  parse(text) {
    const [, id = null, directory = text] = NAMED.exec(text) ?? [];
    return directory === "" ? undefined : { id, directory };
  },
};

interface TokenizerSource {
  /** The one model that it is for; `null` is every other. */
  readonly id: string | null;
  readonly directory: string;
}

/** The settings of `serve` with their defaults, in the order of `--help`. */
const SETTINGS = {
  host: setting(host, "127.0.0.1", "address to listen on"),
  port: setting(integer(0, 65_535), 8000, "port to listen on; 0 picks one"),
  model: repeatable(model, "checkpoint; the first is the default model; else the one that ships"),
  tokenizer: repeatable(tokenizer, "tokenizer of a model without one; without ID, of all such"),
  weights: optional(
    oneOf(...WEIGHT_FORMATS),
    "storage on the device; else as precise as the file",
  ),
  tune: setting(toggle, false, "measure kernels at the start, and choose among them by that"),
  prefixCache: setting(toggle, true, "compute what prompts have in common once"),
  context: CAPACITY.context,
  chatTemplate: optional(oneOf("plain"), "how messages become a prompt; else the model's own way"),
  apiKeyFile: optional({ ...text, placeholder: "FILE" }, "one API key per line; # comments"),
  corsOrigin: repeatable(origin, "origin of pages that may call"),
  allowedHost: repeatable(hostHeader, "Host header accepted beside those of loopback"),
  metricsPublic: setting(toggle, false, "serve /metrics without a key"),
  maxBodyBytes: setting(integer(1, 2 ** 30), 1_048_576, "size of a request body"),
  maxConcurrent: CAPACITY.maxConcurrent,
  engines: optional(
    integer(1, MAX_ENGINES),
    "devices that share a model's sequences; else one, or one a core: docs/deploy.md",
  ),
  maxQueue: setting(integer(0, MAX_SEQUENCES), 64, "sequences waiting"),
  maxOutputTokens: setting(
    integer(1, MAX_OUTPUT_TOKENS),
    16_384,
    "max_tokens where the context slides",
  ),
  maxRetained: setting(integer(0, MAX_SEQUENCES), 256, "finished generations kept for resuming"),
  bodyTimeoutMs: setting(duration, 10_000, "from headers to the end of the body"),
  requestTimeoutMs: setting(duration, 300_000, "from admission to the end, queueing included"),
  writeTimeoutMs: setting(duration, 30_000, "without any progress of a reader"),
  keepaliveMs: setting(duration, 10_000, "silence on a stream before a comment"),
  drainTimeoutMs: setting(integer(0, MAX_TIMEOUT_MS), 30_000, "for running work after SIGTERM"),
};

/** Read from the environment only: keys are never flags, and the launcher knows the device. */
const ENVIRONMENT_ONLY = {
  apiKeys: "API keys, separated by commas",
  deviceMemory: "bytes of device memory; found out where possible",
};

/** What {@linkcode parseConfig} needs beside its arguments. */
export interface ConfigOptions {
  /** Reads the key file. */
  readonly readTextFile?: (path: string) => string;
  /** Models where none is given. */
  readonly defaultModels?: readonly ModelSource[];
}

/**
 * Reads the settings of `serve` from flags and, for those absent, `BD_*` variables.
 *
 * @throws {UsageError} If a flag is unknown or a value does not fit.
 */
export function parseConfig(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  { readTextFile = Deno.readTextFileSync, defaultModels = [SHIPPED_MODEL] }: ConfigOptions = {},
): Config {
  const { values, positional } = readSettings(SETTINGS, args, environment);
  if (positional.length > 0) {
    throw new UsageError(
      `Cannot read the command line: ${JSON.stringify(positional[0])} is no flag`,
    );
  }
  const { model, tokenizer, host, ...rest } = values;
  if (rest.engines !== null && rest.engines > rest.maxConcurrent) {
    throw new UsageError(
      `Cannot share ${rest.maxConcurrent} sequences among ${rest.engines} engines, ` +
        "expected --engines to be at most --max-concurrent",
    );
  }
  const keys = [
    ...keysOfEnvironment(environment),
    ...(rest.apiKeyFile === null ? [] : keysOfFile(rest.apiKeyFile, readTextFile)),
  ];
  return Object.freeze({
    ...rest,
    host: host.replace(/^\[(.*)\]$/, "$1"),
    apiKeys: Object.freeze([...new Set(keys)]),
    models: Object.freeze(
      withTokenizers(model.length > 0 ? withoutDuplicates(model) : defaultModels, tokenizer),
    ),
    deviceMemoryBytes: deviceMemory(environment),
  });
}

/** Reads the `BD_*` variables that {@linkcode parseConfig} knows, one by one. */
export function readEnvironment(
  get: (name: string) => string | undefined,
): Record<string, string> {
  const names = [...Object.keys(SETTINGS), ...Object.keys(ENVIRONMENT_ONLY)].map(variableOf);
  return Object.fromEntries(names.flatMap((name) => {
    const value = get(name);
    return value === undefined ? [] : [[name, value]];
  }));
}

/** Models named by `--model` or `BD_MODEL` among arguments that may be of another command. */
export function readModels(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): readonly ModelSource[] {
  const { model, tokenizer } = SETTINGS;
  const own = ["--model", "--tokenizer"].flatMap((flag) => argumentsOf(flag, args));
  const { values } = readSettings({ model, tokenizer }, own, environment);
  return withTokenizers(values.model.length > 0 ? values.model : [SHIPPED_MODEL], values.tokenizer);
}

/** `HOST:PORT` as URLs and permissions write it: IPv6 addresses in brackets. */
export function authorityOf({ host, port }: { host: string; port: number }): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The settings for `--help`. */
export function describeConfig(): string {
  const width = Math.max(...Object.keys(ENVIRONMENT_ONLY).map((name) => variableOf(name).length));
  const environment = Object.entries(ENVIRONMENT_ONLY)
    .map(([name, help]) => `  ${variableOf(name).padEnd(width)}  ${help}`);
  return [
    describeSettings(SETTINGS),
    "",
    "Each may also be set in the environment: --max-queue is BD_MAX_QUEUE, repeatable ones are",
    "separated by commas. In the environment only:",
    ...environment,
  ].join("\n");
}

/** What `serve --help` prints. */
export function serveHelp(): string {
  return `Answers HTTP requests until a signal ends it.

Usage: deno task serve [FLAGS]

${describeConfig()}
`;
}

function matching(placeholder: string, expected: string, pattern: RegExp): Kind<string> {
  return { placeholder, expected, parse: (text) => pattern.test(text) ? text : undefined };
}

function parseModel(text: string): ModelSource | undefined {
  const [, id, directory = text] = NAMED.exec(text) ?? [];
  const name = id ?? basename(directory);
  // Control characters would break log lines and metric labels.
  if (!/^[^\p{C}]{1,256}$/u.test(name) || [".", "..", "/"].includes(name)) return undefined;
  return directory === "" ? undefined : { id: name, directory };
}

function withoutDuplicates(models: readonly ModelSource[]): readonly ModelSource[] {
  const twice = models.find(({ id }, i) => models.findIndex((each) => each.id === id) < i);
  if (!twice) return models;
  throw new UsageError(
    `Cannot read --model: id ${JSON.stringify(twice.id)} is given twice, expected different ids`,
  );
}

function withTokenizers(
  models: readonly ModelSource[],
  tokenizers: readonly TokenizerSource[],
): ModelSource[] {
  return models.map((model) => {
    const own = tokenizers.find(({ id }) => id === model.id) ??
      tokenizers.find(({ id }) => id === null);
    return own === undefined ? model : { ...model, tokenizer: own.directory };
  });
}

function deviceMemory(environment: Readonly<Record<string, string>>): number | null {
  const settings = { deviceMemory: optional(integer(1, Number.MAX_SAFE_INTEGER), "") };
  return readSettings(settings, [], environment).values.deviceMemory;
}
