import { join } from "@std/path";
import { SHIPPED_MODEL } from "../../src/commands/config.ts";
import { run as evaluate } from "../../src/commands/evaluate.ts";
import { processSurroundings, type Surroundings } from "../../src/commands/model_command.ts";
import { run as train } from "../../src/commands/train.ts";
import { run as learnTokenizer } from "../../src/commands/train_tokenizer.ts";
import { ProgressFile } from "../../src/training/progress_file.ts";
import { findSaved } from "../../src/training/saved_training.ts";
import { Pipe } from "../support/screen.ts";

/** From random weights, and from the autoregressive model that these make. */
const UPDATES = { scratch: 300, then: 150 };
const BATCH = 16;
const WINDOWS = 256;
const VOCABULARY = 512;
/** What a small model has other than the shipped one. */
const SMALL = {
  ...{ n_blocks: 2, hidden_dim: 128, n_heads: 2, model_length: 64, block_size: 16 },
  ...{ vocab_size: VOCABULARY, mask_token_id: VOCABULARY - 1 },
  ...{ bos_token_id: VOCABULARY - 2, eos_token_id: VOCABULARY - 2, pad_token_id: VOCABULARY - 2 },
};
/** From autoregressive to full diffusion. */
const BLOCK_SIZES = [1, 4, 16, SMALL.model_length];

/** Every flag of a training but updates and files. */
const FLAGS = [
  ...["--batch", BATCH, "--micro-batch", BATCH, "--rate", 3e-3, "--warm-up", 20],
  ...["--decay", "cosine", "--averaging", 0.97, "--dropout", 0],
  ...["--evaluate-every", 50, "--evaluate-windows", 64, "--save-every", 100],
].map(String);

/** Files that small models are trained with. */
export interface ScratchFiles {
  readonly text: string;
  readonly valid: string;
  /** Where models go. Trainings that are there already go on, and finished ones stay. */
  readonly out: string;
}

/** A model that was trained in blocks of one size and judged in the same. */
export interface ScratchModel {
  readonly blockSize: number;
  /** Updates and the bound on some held-out windows, nats per token. */
  readonly curve: readonly (readonly [number, number])[];
  /** Nats per token of more windows, and the standard error over them. */
  readonly nelbo: number;
  readonly error: number;
  readonly perplexity: number;
}

/** Small models by block size, and how they were made. */
export interface ScratchReport {
  readonly config: typeof SMALL;
  readonly updates: typeof UPDATES;
  readonly batch: number;
  readonly windows: number;
  /** From random weights. */
  readonly scratch: readonly ScratchModel[];
  /** From the first one of these, which is autoregressive. */
  readonly then: readonly ScratchModel[];
}

/** One training. */
interface Training extends ScratchFiles {
  readonly blockSize: number;
  readonly updates: number;
  /** What it begins with, and its flag where that has no weights. */
  readonly base: readonly string[];
}

/**
 * Trains small models that differ in their block size alone, and evaluates them: from random weights,
 * and from the autoregressive one of these.
 *
 * @throws {Error} If a command fails; it has said why.
 */
export async function measureScratch(files: ScratchFiles): Promise<ScratchReport> {
  const small = join(files.out, "small");
  await writeSmallModel(small, files);
  const trainAll = async (name: string, training: Pick<Training, "updates" | "base">) => {
    const models = [];
    for (const blockSize of BLOCK_SIZES) {
      const out = join(files.out, `${name}${blockSize}`);
      models.push(await trainOne({ ...files, ...training, blockSize, out }));
    }
    return models;
  };
  const base = ["--model", small, "--scratch"];
  const scratch = await trainAll("block-size-", { base, updates: UPDATES.scratch });
  const autoregressive = findSaved(join(files.out, "block-size-1"))!; // It ended well, and saved.
  const then = await trainAll("then-block-size-", {
    ...{ base: ["--model", autoregressive], updates: UPDATES.then },
  });
  return { config: SMALL, updates: UPDATES, batch: BATCH, windows: WINDOWS, scratch, then };
}

/** Writes what `--scratch` takes of a model: configuration and tokenizer. */
async function writeSmallModel(directory: string, { text }: ScratchFiles): Promise<void> {
  const vocabulary = ["--vocab", String(VOCABULARY)];
  expectDone(await learnTokenizer(["--text", text, "--out", directory, ...vocabulary]));
  const shipped = JSON.parse(Deno.readTextFileSync(join(SHIPPED_MODEL.directory, "config.json")));
  const config = JSON.stringify({ ...shipped, ...SMALL }, null, 2);
  Deno.writeTextFileSync(join(directory, "config.json"), config + "\n");
}

async function trainOne(training: Training): Promise<ScratchModel> {
  const { blockSize, updates, base, text, valid, out } = training;
  const files = ["--text", text, "--valid", valid, "--out", out];
  const stages = ["--stages", `${blockSize}:${updates}`, "--resume"];
  expectDone(await train([...base, ...files, ...stages, ...FLAGS]));
  const { rows } = new ProgressFile(join(out, "progress.csv"), updates);
  const model = findSaved(out)!; // It ended well, and saved.
  const stdout = new Pipe();
  const surroundings: Surroundings = { ...processSurroundings(), stdout };
  const options = ["--block-size", String(blockSize), "--windows", String(WINDOWS), "--json"];
  expectDone(await evaluate(["--model", model, "--text", valid, ...options], surroundings));
  const [result] = JSON.parse(stdout.written).results;
  return {
    blockSize,
    curve: rows.flatMap(({ update, nelbo }) => nelbo === null ? [] : [[update, nelbo] as const]),
    ...{ nelbo: result.nelbo_per_token, error: result.stderr, perplexity: result.perplexity },
  };
}

function expectDone(status: number): void {
  if (status !== 0) throw new Error(`Cannot measure: a command ended with status ${status}`);
}
