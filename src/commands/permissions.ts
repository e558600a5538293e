import { basename, dirname, fromFileUrl, join, resolve } from "@std/path";
import { findBlobs } from "../weights/directory.ts";
import { parseCheckOptions } from "./check.ts";
import type { Command } from "./commands.ts";
import { authorityOf, type Config, type ModelSource, parseConfig, readModels } from "./config.ts";
import { readTextPath } from "./evaluate_options.ts";
import { UsageError } from "./flags.ts";
import { parsePullOptions, PULL_VARIABLES, STORAGE_HOSTS } from "./pull_options.ts";
import { parseQuantizeOptions, partialOf } from "./quantize_options.ts";
import { OS_RELEASE } from "./system_packages.ts";
import { readTraceFile } from "./trace_file.ts";
import { trainPaths } from "./train_options.ts";
import { parseTokenizerOptions } from "./train_tokenizer.ts";

/** The project's own directory. */
export const ROOT = fromFileUrl(new URL("../..", import.meta.url));

// Deno asks for every file that a Worker imports; those of npm packages need no permission.
const SOURCES = [join(ROOT, "src"), join(ROOT, "kernels")];
const ALLOW_ENV = "--allow-env=BD_*";

/** What follows the name of a command, and the environment it is given. */
export interface Invocation {
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * The flags of `deno run` that give a command of `main.ts` what it needs and nothing more: none may
 * run programs, call foreign functions or, but for the trace file of `profile`, what `train`,
 * `tokenizer` and `quantize` save and the cache of `pull`, write.
 *
 * @throws {UsageError} If the settings cannot be read, or a path has a comma.
 */
export function permissionsOf(
  command: Command,
  { args, environment }: Invocation,
): string[] {
  switch (command) {
    case "serve": {
      const config = parseConfig(args, environment);
      const paths = [...SOURCES, ...pathsOf(config)];
      return [`--allow-net=${authorityOf(config)}`, allowRead(paths), ALLOW_ENV];
    }
    case "generate":
    case "chat":
    case "profile": {
      const directories = directoriesOf(readModels(args, environment));
      const traceFile = command === "profile" ? readTraceFile(args) : null;
      const write = traceFile === null ? [] : [allow("write", [traceFile])];
      return [allowRead([...SOURCES, ...directories]), ...write, ALLOW_ENV];
    }
    case "evaluate": {
      const directories = directoriesOf(readModels(args, environment));
      return [allowRead([...directories, readTextPath(args) ?? []].flat()), ALLOW_ENV];
    }
    case "train": {
      const { read, write } = trainPaths(args);
      const directories = read.flatMap(withBlobs);
      return [allowRead([...SOURCES, ...directories, ...write]), allow("write", write), ALLOW_ENV];
    }
    case "tokenizer": {
      const { text, out } = parseTokenizerOptions(args);
      return [allowRead([...SOURCES, text, out]), allow("write", [out]), ALLOW_ENV];
    }
    case "doctor": {
      const settings = args.filter((each) => each !== "--json");
      const paths = pathsOf(parseConfig(settings, environment));
      return [allowRead([...paths, OS_RELEASE]), ALLOW_ENV];
    }
    case "check": {
      const options = parseCheckOptions(args);
      return options === null ? [] : [allowRead(directoriesOf([options]))];
    }
    case "quantize": {
      const { directory, out } = parseQuantizeOptions(args);
      const written = [out, partialOf(out)];
      return [allowRead([...withBlobs(directory), ...written]), allow("write", written)];
    }
    case "pull": {
      const { cache, endpoint, redirectHosts } = parsePullOptions(args, environment);
      const hosts = [new URL(endpoint).host, ...STORAGE_HOSTS, ...redirectHosts];
      return [
        `--allow-net=${[...new Set(hosts)].join()}`,
        allowRead([cache]),
        allow("write", [cache]),
        `--allow-env=${PULL_VARIABLES.join()}`,
      ];
    }
  }
}

function pathsOf({ models, apiKeyFile }: Config): string[] {
  return [...directoriesOf(models), apiKeyFile ?? []].flat();
}

function directoriesOf(models: readonly Omit<ModelSource, "id">[]): string[] {
  return models.flatMap(({ directory, tokenizer }) => [
    ...withBlobs(directory),
    ...(tokenizer === undefined ? [] : withBlobs(tokenizer)),
  ]);
}

/** A directory and, where it is a snapshot of a hub's cache, what its links lead to. */
function withBlobs(directory: string): string[] {
  return [directory, findBlobs(realPath(directory)) ?? []].flat();
}

function allowRead(paths: readonly string[]): string {
  return allow("read", paths);
}

/** A path and, where it is a link, what it leads to: Deno checks both. */
function allow(what: "read" | "write", paths: readonly string[]): string {
  const all = paths.flatMap((path) => [resolve(path), realPath(path)]);
  const withComma = all.find((path) => path.includes(","));
  if (withComma === undefined) return `--allow-${what}=${[...new Set(all)].join()}`;
  // Deno separates paths by commas and knows no way to write one.
  throw new UsageError(
    `Cannot allow to ${what}: path is ${JSON.stringify(withComma)}, expected one without a comma`,
  );
}

/** What does not exist lies where the nearest directory that does leads to. */
function realPath(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    const absolute = resolve(path);
    const parent = dirname(absolute);
    return parent === absolute ? absolute : join(realPath(parent), basename(absolute));
  }
}
