import { join } from "@std/path";
import { loadTokenizer } from "../../src/commands/load_tokenizer.ts";
import { readTextFile } from "../../src/commands/text_file.ts";
import { StrategyOptions } from "../../src/diffusion/remasking/mod.ts";
import { boundsOf, type Estimate, estimate } from "../../src/evaluation/likelihood.ts";
import { Scorer } from "../../src/evaluation/scorer.ts";
import { Gpu } from "../../src/gpu/mod.ts";
import { readFamilyConfig } from "../../src/model/mod.ts";
import { splitTexts } from "../../src/training/windows.ts";
import { Checkpoint } from "../../src/weights/checkpoint.ts";
import { DeviceEngine, type Outcome, requestOf } from "../support/device_engine.ts";
import { finish } from "../support/finish.ts";
import { ORIGINAL_MODEL } from "../support/original_model.ts";
import { repeatedShare } from "./repetition.ts";

const EXCERPT = join(import.meta.dirname!, "../fixtures/tinystories-valid-excerpt.txt.gz");
const FORMAT = "f16";
/** Sequences side by side. */
const SLOTS = 16;
const ROWS = 2048;
const PROMPT_TOKENS = 16;
const NEW_TOKENS = 64;
const DRAWING = { blockSize: 8, temperature: 1, topP: 0.9 } as const;
/** The smallest blocks that the model was trained on, whose bound is the tightest. */
const SCORING = { blockSize: 4, samples: 2, seed: 1 } as const;
const RUN = 4;

/** What is compared, defaults filled in. */
export const SETTINGS: readonly StrategyOptions[] = [
  { strategy: "first_hitting" },
  ...[8, 4, 2, 1].map((steps) => ({ strategy: "sequential", steps })),
  ...[8, 4, 2, 1].map((steps) => ({ strategy: "low_confidence_static", steps })),
  ...[0.9, 0.7, 0.5].map((threshold) => ({ strategy: "low_confidence_dynamic", threshold })),
  ...[0.1, 0.35, 1].map((bound) => ({ strategy: "entropy_bounded", entropy_bound: bound })),
  ...[64, 16, 8].map((steps) => ({ strategy: "ancestral", steps })),
].map((each) => StrategyOptions.parse(each));

/** What texts came to: means over texts and their standard errors. */
export interface Quality {
  /** Tokens per denoising forward pass; `null` for texts that no model wrote. */
  readonly tokensPerPass: Estimate | null;
  /** Nats per token. */
  readonly nelbo: Estimate;
  /** Share of repeated runs of four tokens. */
  readonly repeated: Estimate;
}

/** Qualities by setting, and how they were measured. */
export interface QualityReport {
  readonly texts: number;
  readonly promptTokens: number;
  readonly newTokens: number;
  readonly drawing: typeof DRAWING;
  readonly scoring: typeof SCORING;
  /** How the stories go on that the prompts were taken from. */
  readonly heldOut: Quality;
  readonly settings: readonly { readonly options: StrategyOptions; readonly quality: Quality }[];
}

/** A text by its tokens, the prompt apart. */
interface Written {
  readonly prompt: readonly number[];
  readonly tokens: readonly number[];
}

/**
 * Lets the original model go on from the beginnings of held-out stories with every setting, the same
 * prompts and seeds, and asks the model itself how likely it finds what was written.
 *
 * @param report Called with each line of the table.
 */
export async function measureQuality(
  texts: number,
  report: (name: string, quality: Quality) => void,
): Promise<QualityReport> {
  const stories = await readStories(texts);
  using gpu = await Gpu.open();
  await using engine = await DeviceEngine.open(gpu, ORIGINAL_MODEL.directory, {
    slots: SLOTS,
    format: FORMAT,
  });
  using scorer = await Scorer.open(gpu, engine.network, { rows: ROWS });
  const heldOut = { tokensPerPass: null, ...await judge(scorer, stories) };
  report("held-out", heldOut);
  const settings = [];
  for (const options of SETTINGS) {
    const outcomes = await engine.generate(
      stories.map(({ prompt }, seed) =>
        requestOf(prompt, { ...DRAWING, maxTokens: NEW_TOKENS, seed, strategy: options })
      ),
    );
    const written = outcomes.map(({ tokens }, i) => ({ prompt: stories[i]!.prompt, tokens }));
    const tokensPerPass = estimate(outcomes.map((each) => each.tokens.length / passesOf(each)));
    const quality = { tokensPerPass, ...await judge(scorer, written) };
    report(settingName(options), quality);
    settings.push({ options, quality });
  }
  const [promptTokens, newTokens] = [PROMPT_TOKENS, NEW_TOKENS];
  return { texts, promptTokens, newTokens, drawing: DRAWING, scoring: SCORING, heldOut, settings };
}

/** How a setting is called: the strategy, and the number that makes it faster or slower. */
export function settingName(options: StrategyOptions): string {
  const { strategy } = options;
  if (strategy === "low_confidence_dynamic") return `${strategy} ${options.threshold}`;
  if (strategy === "entropy_bounded") return `${strategy} ${options.entropy_bound}`;
  return "steps" in options ? `${strategy} ${options.steps}` : strategy;
}

/** Beginnings of held-out stories and how they go on. */
async function readStories(count: number): Promise<Written[]> {
  using checkpoint = Checkpoint.open(ORIGINAL_MODEL.directory);
  const { vocabSize, bosToken } = readFamilyConfig(checkpoint);
  const tokenizer = loadTokenizer(checkpoint, vocabSize);
  const bos = bosToken === null ? [] : [bosToken];
  const length = PROMPT_TOKENS + NEW_TOKENS;
  const stories = splitTexts(await readTextFile(EXCERPT))
    .map((text) => [...bos, ...tokenizer.encode(text)])
    .filter((tokens) => tokens.length >= length)
    .slice(0, count);
  if (stories.length < count) {
    throw new RangeError(`Cannot measure ${count} texts: there are ${stories.length} stories`);
  }
  return stories.map((tokens) => ({
    prompt: tokens.slice(0, PROMPT_TOKENS),
    tokens: tokens.slice(PROMPT_TOKENS, length),
  }));
}

function passesOf({ events }: Outcome): number {
  return events.reduce((sum, each) => each.type === "block" ? sum + each.nfe : sum, 0);
}

async function judge(
  scorer: Scorer,
  written: readonly Written[],
): Promise<Pick<Quality, "nelbo" | "repeated">> {
  const { blockSize, ...drawing } = SCORING;
  const texts = written.map(({ prompt, tokens }) => ({
    ...{ x0: [...prompt, ...tokens], given: prompt.length, blockSize },
  }));
  const positionOf = (text: number) => text * (PROMPT_TOKENS + NEW_TOKENS);
  const estimator = { type: "counts" } as const;
  const bounds = await finish(boundsOf(scorer, texts, { ...drawing, estimator, positionOf }));
  return {
    nelbo: estimate(bounds.map(({ nelbo, tokens }) => nelbo / tokens)),
    repeated: estimate(written.map(({ tokens }) => repeatedShare(tokens, RUN))),
  };
}
