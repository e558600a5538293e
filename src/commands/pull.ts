import { asksForHelp } from "./flags.ts";
import { CachedModel, type Environment } from "../hub/cache.ts";
import { HubError } from "../hub/errors.ts";
import { type HubFile, modelFiles, tokenizerFiles } from "../hub/hub_file.ts";
import { describeHubModel, type HubModel, MAIN } from "../hub/hub_model.ts";
import { pull } from "../hub/pull.ts";
import { findKnownTokenizer, isKnownTokenizer } from "./known_tokenizers.ts";
import { processSurroundings, type Surroundings } from "./model_command.ts";
import { parsePullOptions, PULL_HELP, PULL_VARIABLES, type PullOptions } from "./pull_options.ts";
import { printable, ProgressBar, type TerminalOutput } from "./terminal.ts";

/** Silence after which a connection counts as lost. */
const SILENCE_MS = 60_000;

/** What a pull takes from the process. */
export interface PullSurroundings extends Pick<Surroundings, "stdout" | "stderr"> {
  /** Called when it is needed: `--help` may read nothing. */
  readonly readEnvironment: () => Environment;
}

/**
 * Runs `pull`: downloads a model and, where it needs one from elsewhere, its tokenizer; prints the
 * model's directory.
 *
 * @throws {UsageError} If the command line or a variable cannot be read.
 */
export async function run(
  args: readonly string[],
  { stdout, stderr, readEnvironment }: PullSurroundings = pullSurroundings(),
): Promise<number> {
  if (asksForHelp(args)) {
    stdout.write(PULL_HELP);
    return 0;
  }
  const options = parsePullOptions(args, readEnvironment());
  try {
    const directory = await obtain(options.model, { options, stderr });
    const tokenizer = findKnownTokenizer(directory);
    if (tokenizer !== null && tokenizer !== options.model.id) {
      await obtain({ id: tokenizer, revision: MAIN }, { options, stderr });
    }
    stdout.write(`${directory}\n`);
    return 0;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    stderr.write((stderr.isTerminal ? printable(message) : message) + "\n");
    return 1;
  }
}

/** Gives the directory of a repository's files, from the cache alone where nobody may be asked. */
async function obtain(
  model: HubModel,
  { options, stderr }: { readonly options: PullOptions; readonly stderr: TerminalOutput },
): Promise<string> {
  const { cache, endpoint, token, isOffline } = options;
  const name = describeHubModel(model);
  if (isOffline) {
    const found = new CachedModel(cache, model).find();
    if (found !== null) return found;
    throw new HubError(
      `Cannot pull ${JSON.stringify(name)}: HF_HUB_OFFLINE is set, and ${JSON.stringify(cache)} ` +
        "does not have it",
    );
  }
  using bars = new DisposableStack();
  const barOf = new Map<HubFile, ProgressBar>();
  return await pull(model, {
    cache,
    access: { endpoint, token, fetch, silenceMs: SILENCE_MS },
    choose: isKnownTokenizer(model.id) ? tokenizerFiles : modelFiles,
    onProgress: (file, bytes) => {
      const bar = barOf.get(file) ?? bars.use(new ProgressBar(stderr, file.name));
      barOf.set(file, bar);
      bar.update(bytes, file.sizeBytes);
    },
    onFile: (file) => {
      barOf.get(file)?.[Symbol.dispose]();
      stderr.write(`${name} ${file.name}: ${file.sizeBytes} bytes\n`);
    },
  });
}

function pullSurroundings(): PullSurroundings {
  return {
    ...processSurroundings(),
    readEnvironment: () =>
      Object.fromEntries(PULL_VARIABLES.map((name) => [name, Deno.env.get(name)])),
  };
}
