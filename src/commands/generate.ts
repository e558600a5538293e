import { abortable } from "@std/async";
import type { Engine, SequenceRequest, StepEvent } from "../engine/request.ts";
import type { LoadedModel } from "../server/loaded_models.ts";
import { planGeneration } from "../server/plan.ts";
import type { RandomBytes } from "../server/request_id.ts";
import { TextStream } from "../text/text_stream.ts";
import {
  GENERATE_HELP,
  type GenerateOptions,
  parseGenerateOptions,
  withFlagNames,
} from "./generate_options.ts";
import { LiveText, type Span } from "./live_text.ts";
import {
  type OpenedModel,
  processSurroundings,
  runModelCommand,
  type Surroundings,
} from "./model_command.ts";
import { dim, type TerminalOutput } from "./terminal.ts";

/** What one generation has come to. */
export interface GenerationSummary {
  /** Tokens that count: up to the end token, or the one that completed a stop string. */
  readonly tokens: number;
  /** Time that the blocks took, in milliseconds. */
  readonly ms: number;
  /** Forward passes. */
  readonly passes: number;
  readonly seed: number;
}

/** What {@linkcode generate} works with. */
export interface GenerateContext {
  readonly engine: Pick<Engine, "submit">;
  readonly tokenizer: LoadedModel["tokenizer"];
  readonly output: TerminalOutput;
  /** Ends the generation at once. */
  readonly signal: AbortSignal;
}

/** With `--overflow slide`: the most that `serve` can be told to allow. */
const MAX_OUTPUT_TOKENS = 1_000_000;

/** A token that is not known yet. */
const MASK: Span = { text: "░", isDim: true };

/** Prints the continuation of one prompt, block by block, and gives the exit status. */
export function run(
  args: readonly string[],
  open: (options: GenerateOptions) => Promise<OpenedModel>,
  surroundings: Surroundings = processSurroundings(),
): Promise<number> {
  const { stdout, stderr, randomBytes } = surroundings;
  return runModelCommand(args, {
    help: GENERATE_HELP,
    parse: parseGenerateOptions,
    open,
    use: async (model, { options, signal }) => {
      const trace = options.trace && stdout.isTerminal;
      const request = planRequest(options, model, { trace, randomBytes });
      const context = { ...model, output: stdout, signal };
      const summary = await generate({ request, stop: options.request.stop }, context);
      if (stderr.isTerminal) stderr.write(dim(stderr, summaryLine(summary)) + "\n");
    },
    surroundings,
  });
}

/**
 * Fills in what the command line leaves to the model.
 *
 * @throws {UsageError} If the model cannot do what it asks for.
 */
export function planRequest(
  { request }: Pick<GenerateOptions, "request">,
  model: LoadedModel,
  how: { readonly trace: boolean; readonly randomBytes: RandomBytes },
): SequenceRequest {
  const settings = { maxOutputTokens: MAX_OUTPUT_TOKENS, ...how };
  return withFlagNames(() => planGeneration(request, model, settings));
}

/**
 * Writes the text of one sequence as it comes. With `trace` in the request, a terminal shows the
 * block under way: its masks, and the words that they have turned into.
 *
 * @throws The reason of `signal` once it is aborted; the terminal is clean then.
 * @throws {BusyError | SequenceError} What the engine refuses or fails with.
 */
export async function generate(
  { request, stop }: { readonly request: SequenceRequest; readonly stop: readonly string[] },
  { engine, tokenizer, output, signal }: GenerateContext,
): Promise<GenerationSummary> {
  signal.throwIfAborted();
  const generation = engine.submit([request])[0]!;
  const text = new TextStream(tokenizer, { stop });
  const events = generation.events[Symbol.asyncIterator]();
  const live = new LiveText(output);
  let tokens = 0;
  let ms = 0;
  try {
    while (true) {
      const { value: event, done } = await abortable(events.next(), signal);
      if (done) throw new Error("Cannot finish the text: the sequence has no end event");
      if (event.type === "end") {
        if (text.stop === null) live.append(text.end());
        return { tokens, ms, passes: event.passes, seed: request.seed };
      }
      // What is still under way when a stop string is found does not count.
      if (text.stop !== null) continue;
      if (event.type === "step") {
        live.preview(pieces(event, tokenizer));
        continue;
      }
      if (event.type !== "block") continue;
      const { text: delta, stopped } = text.push(event.tokens);
      live.append(delta);
      tokens += stopped?.tokens ?? event.tokens.length;
      ms += event.ms;
      if (stopped !== null) generation.cancel();
    }
  } finally {
    generation.cancel();
    live.end();
  }
}

function pieces(
  { tokens }: StepEvent,
  tokenizer: GenerateContext["tokenizer"],
): Span[] {
  return tokens.map((token) => token === null ? MASK : { text: tokenizer.piece(token) });
}

function summaryLine({ tokens, ms, passes, seed }: GenerationSummary): string {
  const rate = ms > 0 ? [`${(1000 * tokens / ms).toFixed(1)} tokens/s`] : [];
  return [`${tokens} tokens`, ...rate, `${passes} passes`, `seed ${seed}`].join(", ");
}
