import { searchClip } from "../evaluation/clip_search.ts";
import { boundsOfWindows, scoredBytes, windowsOf } from "../evaluation/windows.ts";
import { EVALUATE_HELP, type EvaluateOptions, parseEvaluateOptions } from "./evaluate_options.ts";
import {
  boundTable,
  type EvaluationSetup,
  heading,
  searchSummaryOf,
  searchTable,
  setupOf,
  summaryOf,
} from "./evaluate_table.ts";
import { UsageError } from "./flags.ts";
import { processSurroundings, runModelCommand, type Surroundings } from "./model_command.ts";
import { type OpenedScorer, openScorer } from "./open_scorer.ts";
import { ProgressBar } from "./terminal.ts";
import { readTextFile } from "./text_file.ts";
import { TokenisingBar } from "./tokenising_bar.ts";

/** What an evaluation works with. */
interface EvaluateContext {
  readonly options: EvaluateOptions;
  readonly signal: AbortSignal;
  readonly surroundings: Surroundings;
}

/** Prints how likely a model finds a text, and gives the exit status. */
export function run(
  args: readonly string[],
  surroundings: Surroundings = processSurroundings(),
): Promise<number> {
  return runModelCommand(args, {
    help: EVALUATE_HELP,
    parse: parseEvaluateOptions,
    open: openScorer,
    use: (model, context) => evaluate(model, { ...context, surroundings }),
    surroundings,
  });
}

async function evaluate(model: OpenedScorer, context: EvaluateContext): Promise<void> {
  const { options, surroundings: { stdout } } = context;
  const blockSizes = blockSizesOf(model, options);
  const windows = await readWindows(model, options, context.surroundings);
  const setup = describe(model, windows, options);
  if (options.searchClip) return await search(model, windows, { ...context, setup, blockSizes });
  const sizes = [];
  for (const blockSize of blockSizes) {
    const steps = boundsOfWindows(model.scorer, windows, { ...options, blockSize });
    const bounds = await follow(steps, { label: `block size ${blockSize}`, ...context });
    sizes.push({ blockSize, bounds });
  }
  const results = sizes.map((each) => summaryOf(each, setup));
  stdout.write(
    options.json
      ? JSON.stringify({ ...setupOf(setup), results }) + "\n"
      : heading(setup) + boundTable(sizes, setup),
  );
}

async function search(
  model: OpenedScorer,
  windows: readonly (readonly number[])[],
  { setup, blockSizes, ...context }: EvaluateContext & {
    readonly setup: EvaluationSetup;
    readonly blockSizes: readonly number[];
  },
): Promise<void> {
  const { options: { seed, json }, surroundings: { stdout } } = context;
  const sizes = [];
  for (const blockSize of blockSizes) {
    const steps = searchClip(model.scorer, windows, { blockSize, seed });
    const candidates = await follow(steps, { label: `block size ${blockSize}`, ...context });
    sizes.push({ blockSize, candidates });
  }
  stdout.write(
    json
      ? JSON.stringify({ ...setupOf(setup), clip_search: sizes.map(searchSummaryOf) }) + "\n"
      : heading(setup) + sizes.map(searchTable).join("\n"),
  );
}

/** Goes through the passes of something long with a bar, until `signal` is aborted. */
async function follow<T>(
  steps: AsyncGenerator<{ readonly share: number }, T>,
  { label, signal, surroundings }: EvaluateContext & { readonly label: string },
): Promise<T> {
  using bar = new ProgressBar(surroundings.stderr, label);
  while (true) {
    const step = await steps.next();
    if (step.done) return step.value;
    bar.update(step.value.share, 1);
    signal.throwIfAborted();
  }
}

/**
 * The block sizes that are asked for.
 *
 * @throws {UsageError} If one does not divide the windows.
 */
function blockSizesOf({ scorer }: OpenedScorer, { blockSizes }: EvaluateOptions): number[] {
  const { blockSize, modelLength } = scorer.network.config;
  const sizes = (blockSizes ?? [blockSize]).map((each) => each === "all" ? modelLength : each);
  const odd = sizes.find((size) => modelLength % size !== 0);
  if (odd === undefined) return [...new Set(sizes)];
  throw new UsageError(
    `Cannot evaluate in blocks of ${odd}: the model sees ${modelLength} tokens, expected a divisor`,
  );
}

/**
 * The windows of the text.
 *
 * @throws {UsageError} If it cannot be read, or has nothing to score.
 */
async function readWindows(
  { scorer, tokenizer }: OpenedScorer,
  { text: path, windows: most }: EvaluateOptions,
  { stderr }: Pick<Surroundings, "stderr">,
): Promise<number[][]> {
  const { bosToken, modelLength: length } = scorer.network.config;
  const text = await readTextFile(path);
  using bar = new TokenisingBar(stderr, { tokenizer, length: text.length });
  const windows = windowsOf(text, { tokenizer: bar, bosToken, length });
  if (windows[0]!.length > 1) return windows.slice(0, most ?? windows.length);
  throw new UsageError(
    `Cannot evaluate ${JSON.stringify(path)}: it has less than two tokens, BOS included`,
  );
}

function describe(
  { id, tokenizer, weights }: OpenedScorer,
  windows: readonly (readonly number[])[],
  { noise, samples, seed, searchClip }: EvaluateOptions,
): EvaluationSetup {
  const windowTokens = windows[0]!.length;
  return {
    ...{ model: id, weights, windows: windows.length, windowTokens, seed },
    tokens: windows.length * (windowTokens - 1),
    bytes: windows.reduce((sum, window) => sum + scoredBytes(window, tokenizer), 0),
    samples,
    noise: searchClip ? "t, loglinear" : noise,
  };
}
