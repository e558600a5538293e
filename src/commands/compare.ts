import type { SequenceRequest } from "../engine/request.ts";
import { randomSeed } from "../server/plan.ts";
import type { Comparison, GenerateOptions } from "./generate_options.ts";
import { generate, type GenerationSummary, planRequest } from "./generation.ts";
import { rateOf, toJson } from "./generation_report.ts";
import type { OpenedModel, Surroundings } from "./model_command.ts";
import { layOut } from "./table.ts";
import { dim, NOWHERE, printable, ProgressBar } from "./terminal.ts";

/** Blocks that are generated before times count: every kernel has run and is compiled then. */
const WARM_UP_BLOCKS = 2;

/** One of the generations to compare. */
interface Contender {
  /** Value of the option that is compared. */
  readonly value: string;
  readonly request: SequenceRequest;
  readonly stop: readonly string[];
}

type Outcome = Contender & { readonly summary: GenerationSummary };

interface CompareContext {
  readonly options: GenerateOptions;
  readonly signal: AbortSignal;
  readonly surroundings: Surroundings;
}

/**
 * Prints what one prompt and seed come to with each value of an option: the texts one under the
 * other, then passes and tokens a second.
 *
 * @throws {UsageError} If the model cannot do one of them; nothing is generated then.
 */
export async function compare(model: OpenedModel, context: CompareContext): Promise<void> {
  const { options, surroundings: { stdout } } = context;
  const comparison = options.comparison!; // It was asked for.
  const contenders = plan(model, comparison, context);
  await warmUp(model, contenders, context);
  const outcomes: Outcome[] = [];
  for (const each of contenders) outcomes.push(await follow(model, each, context));
  const { name } = comparison;
  if (!options.json) return stdout.write(tableOf(name, outcomes));
  const results = outcomes.map(({ value, request, summary }) => ({
    value,
    ...toJson(summary, { request, model: model.engine.model }),
  }));
  stdout.write(JSON.stringify({ compare: name, results }) + "\n");
}

/** All of them on one prompt and, unless seeds are compared, one seed. */
function plan(
  model: OpenedModel,
  { variants }: Comparison,
  { options, surroundings: { stdout, randomBytes } }: CompareContext,
): Contender[] {
  const trace = options.trace && stdout.isTerminal && !options.json;
  const seed = randomSeed(randomBytes);
  return variants.map(({ value, request }) => {
    const { prompt } = options.request;
    const asked = { request: { ...request, prompt, seed: request.seed ?? seed } };
    return {
      value,
      request: planRequest(asked, model, { trace, randomBytes }),
      stop: request.stop,
    };
  });
}

async function warmUp(
  model: OpenedModel,
  contenders: readonly Contender[],
  { signal, surroundings: { stderr } }: CompareContext,
): Promise<void> {
  using bar = new ProgressBar(stderr, "warming up");
  for (const [i, { request }] of contenders.entries()) {
    bar.update(i, contenders.length);
    const maxTokens = Math.min(request.maxTokens, WARM_UP_BLOCKS * request.blockSize);
    const short = { request: { ...request, maxTokens, trace: false }, stop: [] };
    await generate(short, { ...model, output: NOWHERE, signal });
  }
}

async function follow(
  model: OpenedModel,
  contender: Contender,
  { options: { json, comparison }, signal, surroundings: { stdout, stderr } }: CompareContext,
): Promise<Outcome> {
  const { value, request } = contender;
  const title = `${comparison!.name} = ${printable(value)}`;
  if (!json) stdout.write(dim(stdout, `── ${title} ──`) + "\n");
  using bar = new ProgressBar(json ? stderr : NOWHERE, title);
  const onText = (_: string, tokens: number) => bar.update(tokens, request.maxTokens);
  const output = json ? NOWHERE : stdout;
  const summary = await generate(contender, { ...model, output, signal, onText });
  if (!json) stdout.write("\n");
  return { ...contender, summary };
}

function tableOf(name: string, outcomes: readonly Outcome[]): string {
  const head = [name, "tokens", "passes", "tokens/pass", "tokens/s", "seed"];
  const rows = outcomes.map(({ value, request, summary }) => {
    const { tokens, passes } = summary;
    const rate = rateOf(summary);
    return [
      printable(value),
      String(tokens),
      String(passes),
      passes > 0 ? (tokens / passes).toFixed(2) : "–",
      rate === null ? "–" : rate.toFixed(1),
      String(request.seed),
    ];
  });
  return layOut([head, ...rows]);
}
