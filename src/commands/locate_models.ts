import { join } from "@std/path";
import { CachedModel, exists } from "../hub/cache.ts";
import { describeHubModel, MAIN, parseHubModel } from "../hub/hub_model.ts";
import { parseCheckOptions } from "./check.ts";
import { readModels } from "./config.ts";
import { UsageError } from "./flags.ts";
import type { Command } from "./commands.ts";
import { findKnownTokenizer } from "./known_tokenizers.ts";
import type { Invocation } from "./permissions.ts";
import { cacheOf } from "./pull_options.ts";
import { parseQuantizeOptions } from "./quantize_options.ts";

/**
 * Puts directories in place of the models that a command line names by their id on a hub: those in
 * the cache of hub clients. Where a model has no tokenizer and one is known, names that as well.
 * Directories that exist stay what they are.
 *
 * @throws {UsageError} If the cache has no such model, or not the tokenizer that it needs.
 */
export function locateModels(command: Command, invocation: Invocation): Invocation {
  switch (command) {
    case "serve":
    case "generate":
    case "chat":
    case "profile":
    case "evaluate":
    case "doctor":
      return withTokenizers(withDirectories(invocation, locateNamed));
    case "train":
      return withDirectories(invocation, locate);
    case "check":
      return locateChecked(invocation);
    case "quantize":
      return locateQuantized(invocation);
    case "tokenizer":
    case "pull":
      return invocation;
  }
}

type Locate = (text: string, environment: Invocation["environment"]) => string;

/** Replaces the values of `--model` and `BD_MODEL`. */
function withDirectories({ args, environment }: Invocation, locate: Locate): Invocation {
  const end = args.includes("--") ? args.indexOf("--") : args.length;
  const located = args.map((each, i) => {
    if (i >= end) return each;
    if (args[i - 1] === "--model") return locate(each, environment);
    return each.startsWith("--model=")
      ? `--model=${locate(each.slice("--model=".length), environment)}`
      : each;
  });
  const { BD_MODEL: models } = environment;
  if (!models) return { args: located, environment };
  const BD_MODEL = models.split(",").map((each) => locate(each.trim(), environment)).join();
  return { args: located, environment: { ...environment, BD_MODEL } };
}

/** `[ID=]DIR`: a model of a hub that is given no other id goes by its own. */
function locateNamed(text: string, environment: Invocation["environment"]): string {
  const [, id, place = text] = /^([^=]*)=([^]*)$/.exec(text) ?? [];
  const directory = locate(place, environment);
  if (directory === place) return text;
  return `${id ?? parseHubModel(place)!.id}=${directory}`; // Only ids are located elsewhere.
}

function locate(place: string, environment: Invocation["environment"]): string {
  const model = parseHubModel(place);
  if (model === null || exists(place)) return place;
  const cache = cacheOf(environment);
  const directory = new CachedModel(cache, model).find();
  if (directory !== null) return directory;
  throw new UsageError(
    `Cannot find ${JSON.stringify(describeHubModel(model))}: it is no directory here, and no ` +
      `model in ${JSON.stringify(cache)}; get it with: deno task pull ${describeHubModel(model)}`,
  );
}

/** Told through the environment, and only where the user names no tokenizer at all. */
function withTokenizers({ args, environment }: Invocation): Invocation {
  const isNamed = args.some((each) => /^--tokenizer(=|$)/.test(each));
  if (isNamed || environment.BD_TOKENIZER) return { args, environment };
  const tokenizers = readModels(args, environment).flatMap(({ id, directory }) => {
    const tokenizer = locateTokenizer(directory, environment);
    return tokenizer === null ? [] : [`${id}=${tokenizer}`];
  });
  if (tokenizers.length === 0) return { args, environment };
  return { args, environment: { ...environment, BD_TOKENIZER: tokenizers.join() } };
}

function locateChecked({ args, environment }: Invocation): Invocation {
  const options = parseCheckOptions(args);
  if (options === null) return { args, environment };
  const directory = locate(options.directory, environment);
  const tokenizer = options.tokenizer ?? locateTokenizer(directory, environment);
  const flags = tokenizer === null ? [] : ["--tokenizer", tokenizer];
  return { args: [...flags, "--", directory], environment };
}

function locateQuantized({ args, environment }: Invocation): Invocation {
  const { directory, out, weights } = parseQuantizeOptions(args);
  const located = locate(directory, environment);
  return { args: ["--weights", weights, "--", located, out], environment };
}

function locateTokenizer(directory: string, environment: Invocation["environment"]): string | null {
  const id = findKnownTokenizer(directory);
  if (id === null) return null;
  const cache = cacheOf(environment);
  const found = new CachedModel(cache, { id, revision: MAIN }).find();
  if (found !== null && exists(join(found, "tokenizer.json"))) return found;
  throw new UsageError(
    `Cannot find the tokenizer of ${JSON.stringify(directory)}: it has none, and the usual one, ` +
      `${id}, is not in ${JSON.stringify(cache)}; name one with --tokenizer, or get that with: ` +
      `deno task pull ${id}`,
  );
}
