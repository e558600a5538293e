import { Gpu } from "../gpu/mod.ts";
import { type Bd3lmConfig, checkBd3lmTensors, readBd3lmConfig } from "../model/bd3lm_config.ts";
import { drawWeights, loadWeights } from "../training/initial_weights.ts";
import { Parameters } from "../training/parameters.ts";
import { findSaved, resumeTraining } from "../training/saved_training.ts";
import { runSession, type SessionParts, type Stage } from "../training/session.ts";
import { lockTraining } from "../training/training_lock.ts";
import { heldOutWindows, joinTokens, splitTexts, Windows } from "../training/windows.ts";
import { Checkpoint } from "../weights/checkpoint.ts";
import { asksForHelp, UsageError } from "./flags.ts";
import { loadTokenizer } from "./load_tokenizer.ts";
import { processSurroundings, type Surroundings } from "./model_command.ts";
import type { TerminalOutput } from "./terminal.ts";
import { readTextFile } from "./text_file.ts";
import { TokenisingBar } from "./tokenising_bar.ts";
import { parseTrainOptions, TRAIN_HELP, type TrainOptions } from "./train_options.ts";
import { TrainingLine } from "./training_line.ts";

/** Trains a model, and gives the exit status. */
export async function run(
  args: readonly string[],
  surroundings: Surroundings = processSurroundings(),
): Promise<number> {
  const { stdout, stderr } = surroundings;
  if (asksForHelp(args)) {
    stdout.write(TRAIN_HELP);
    return 0;
  }
  const interruption = new AbortController();
  using _ = surroundings.onInterrupt((status) => interruption.abort(status));
  const options = parseTrainOptions(args);
  try {
    await train(options, { surroundings, signal: interruption.signal });
    // The status that it was aborted with.
    return interruption.signal.aborted ? interruption.signal.reason as number : 0;
  } catch (error) {
    if (error instanceof UsageError) throw error;
    stderr.write((error instanceof Error ? error.message : String(error)) + "\n");
    return 1;
  }
}

async function train(
  options: TrainOptions,
  { surroundings, signal }: { surroundings: Surroundings; signal: AbortSignal },
): Promise<void> {
  using base = options.isFromScratch
    ? Checkpoint.openConfig(options.model)
    : Checkpoint.open(options.model);
  const config = readBd3lmConfig(base);
  if (!options.isFromScratch) checkBd3lmTensors(base, config);
  const stages = stagesOf(options, config);
  Deno.mkdirSync(options.out, { recursive: true });
  using _ = lock(options.out);
  const saved = savedOf(options);
  const data = await readData(options, { base, config, stderr: surroundings.stderr });
  using gpu = await Gpu.open();
  using parameters = new Parameters(gpu, config);
  const start = begin(options, { parameters, base, saved });
  using line = new TrainingLine(surroundings.stdout);
  line.announce({ parameters: parameters.count, ...data, start: start.updates });
  await runSession(gpu, { ...options.session, stages }, {
    parts: {
      ...{ config, configFile: base.config, parameters, ...data, start },
      ...{ directory: options.out, base: options.model, told: options.told },
    },
    watch: {
      signal,
      now: () => performance.now(),
      onProgress: (progress) => line.update(progress),
      onSaved: (path) => line.saved(path),
    },
  });
}

function lock(directory: string): Disposable {
  const held = lockTraining(directory);
  if (held) return held;
  throw new UsageError(`Cannot train into "${directory}": another process does at this moment`);
}

/** The checkpoint to resume from; `null` to begin with `--model`. */
function savedOf({ out, isResumed }: TrainOptions): string | null {
  const saved = findSaved(out);
  if (isResumed || saved === null) return isResumed ? saved : null;
  throw new UsageError(
    `Cannot train into "${out}": it has a training already, expected --resume or another directory`,
  );
}

/** Sets the weights, and says what was made before. */
function begin(
  options: TrainOptions,
  { parameters, base, saved }: {
    parameters: Parameters;
    base: Checkpoint;
    saved: string | null;
  },
): SessionParts["start"] {
  const { session: { times, seed }, told, isFromScratch } = options;
  if (saved === null) {
    if (isFromScratch) drawWeights(parameters, seed);
    else loadWeights(parameters, base);
    return { updates: 0, skipped: 0, times };
  }
  const { settings, ...start } = resumeTraining(saved, parameters);
  const changed = Object.keys(told).find((name) =>
    JSON.stringify(told[name]) !== JSON.stringify(settings[name])
  );
  if (changed === undefined) return start;
  throw new UsageError(
    `Cannot resume: "${changed}" was ${JSON.stringify(settings[changed])} and is ` +
      `${JSON.stringify(told[changed])}, expected the same flags`,
  );
}

function stagesOf({ stages, updates }: TrainOptions, config: Bd3lmConfig): readonly Stage[] {
  const all = stages ?? [{ blockSize: config.blockSize, updates }];
  const wrong = all.find(({ blockSize }) => config.modelLength % blockSize !== 0);
  if (!wrong) return all;
  throw new UsageError(
    `Cannot read --stages: a block size is ${wrong.blockSize}, expected divisors of ` +
      `${config.modelLength}`,
  );
}

async function readData(
  { text, valid, evaluateWindows: most, session: { seed } }: TrainOptions,
  { base, config, stderr }: { base: Checkpoint; config: Bd3lmConfig; stderr: TerminalOutput },
): Promise<{ windows: Windows; heldOut: Uint32Array[] }> {
  const tokenizer = loadTokenizer(base, config.vocabSize);
  const { eosToken, modelLength: length } = config;
  if (eosToken === null) {
    throw new UsageError("Cannot train: the tokenizer has no end token, expected one");
  }
  const tokensOf = async (path: string) => {
    const texts = splitTexts(await readTextFile(path));
    const length = texts.reduce((sum, text) => sum + text.length, 0);
    using bar = new TokenisingBar(stderr, { tokenizer, length });
    return joinTokens(texts, { encode: (text) => bar.encode(text), endToken: eosToken });
  };
  const windows = new Windows(await tokensOf(text), { length, seed });
  const heldOut = valid === null ? [] : heldOutWindows(await tokensOf(valid), { length, most });
  return { windows, heldOut };
}
