import { abortable } from "@std/async";
import type { Engine, SequenceRequest, StepEvent } from "../engine/request.ts";
import type { LoadedModel } from "../server/loaded_models.ts";
import { planGeneration } from "../server/plan.ts";
import type { RandomBytes } from "../server/request_id.ts";
import { TextStream } from "../text/text_stream.ts";
import { UsageError } from "./flags.ts";
import {
  asksForHelp,
  GENERATE_HELP,
  type GenerateOptions,
  parseGenerateOptions,
  withFlagNames,
} from "./generate_options.ts";
import { LiveText, type Span } from "./live_text.ts";
import { dim, printable, processOutput, type TerminalOutput } from "./terminal.ts";

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

/** A model ready to be asked. */
export interface OpenedModel extends LoadedModel {
  /** Gives back the device and all that came with the model. */
  close(): Promise<void>;
}

/** What {@linkcode generate} works with. */
export interface GenerateContext {
  readonly engine: Engine;
  readonly tokenizer: LoadedModel["tokenizer"];
  readonly output: TerminalOutput;
  /** Ends the generation at once. */
  readonly signal: AbortSignal;
}

/** What {@linkcode run} takes from the process. */
export interface Surroundings {
  readonly stdout: TerminalOutput;
  readonly stderr: TerminalOutput;
  readonly randomBytes: RandomBytes;
  /** Calls `interrupt` with the exit status when the process is told to stop, until disposed. */
  readonly onInterrupt: (interrupt: (status: number) => void) => Disposable;
}

/** With `--overflow slide`: the most that `serve` can be told to allow. */
const MAX_OUTPUT_TOKENS = 1_000_000;

/** Of a process that could not write because nobody reads any more: 128 + SIGPIPE. */
const STATUS_OF_CLOSED_PIPE = 141;

/** A token that is not known yet. */
const MASK: Span = { text: "░", isDim: true };

/**
 * Prints the continuation of one prompt, block by block, and gives the exit status: 2 where the
 * command line is wrong, 1 where something else is, with one line on stderr that says what.
 *
 * @param open Loads the model. What it throws is that line.
 */
export async function run(
  args: readonly string[],
  open: (options: GenerateOptions) => Promise<OpenedModel>,
  surroundings: Surroundings = processSurroundings(),
): Promise<number> {
  const { stdout, stderr } = surroundings;
  const interruption = new AbortController();
  const { signal } = interruption;
  using _listener = surroundings.onInterrupt((status) => interruption.abort(status));
  try {
    if (asksForHelp(args)) {
      stdout.write(GENERATE_HELP);
      return 0;
    }
    const options = parseGenerateOptions(args);
    await using opened = await waitForModel(open(options), signal);
    const trace = options.trace && stdout.isTerminal;
    const request = withFlagNames(() =>
      planGeneration(options.request, opened.model, {
        maxOutputTokens: MAX_OUTPUT_TOKENS,
        trace,
        randomBytes: surroundings.randomBytes,
      })
    );
    const context = { ...opened.model, output: stdout, signal };
    const summary = await generate({ request, stop: options.request.stop }, context);
    if (stderr.isTerminal) stderr.write(dim(stderr, summaryLine(summary)) + "\n");
    return 0;
  } catch (error) {
    if (signal.aborted) return signal.reason as number; // The status that it was aborted with.
    if (error instanceof Deno.errors.BrokenPipe) return STATUS_OF_CLOSED_PIPE;
    stderr.write(errorLine(error, stderr) + "\n");
    return error instanceof UsageError ? 2 : 1;
  }
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
  const generation = engine.submit(request);
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

/** Waits for the model until `signal` is aborted; one that comes later is closed at once. */
async function waitForModel(
  opening: Promise<OpenedModel>,
  signal: AbortSignal,
): Promise<AsyncDisposable & { readonly model: OpenedModel }> {
  try {
    const model = await abortable(opening, signal);
    return {
      model,
      async [Symbol.asyncDispose]() {
        const closing = model.close();
        // After Ctrl-C nobody waits: the process ends, and the device is free with it.
        if (signal.aborted) closing.catch(() => {});
        else await closing;
      },
    };
  } catch (error) {
    if (signal.aborted) opening.then((model) => model.close()).catch(() => {});
    throw error;
  }
}

function summaryLine({ tokens, ms, passes, seed }: GenerationSummary): string {
  const rate = ms > 0 ? [`${(1000 * tokens / ms).toFixed(1)} tokens/s`] : [];
  return [`${tokens} tokens`, ...rate, `${passes} passes`, `seed ${seed}`].join(", ");
}

/** One line, whatever the message: it may come from files that nobody vouches for. */
function errorLine(error: unknown, output: TerminalOutput): string {
  const message = error instanceof Error ? error.message : String(error);
  const line = message.replace(/\s*\n\s*/g, " ");
  return output.isTerminal ? printable(line) : line;
}

function processSurroundings(): Surroundings {
  return {
    stdout: processOutput(Deno.stdout),
    stderr: processOutput(Deno.stderr),
    randomBytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
    onInterrupt: listenToSignals,
  };
}

function listenToSignals(interrupt: (status: number) => void): Disposable {
  const listeners = ([["SIGINT", 130], ["SIGTERM", 143]] as const).map(([signal, status]) => {
    const listener = () => {
      // A second one finds no listener and ends the process as it always does.
      remove();
      interrupt(status);
    };
    Deno.addSignalListener(signal, listener);
    return [signal, listener] as const;
  });
  const remove = () => {
    for (const [signal, listener] of listeners) Deno.removeSignalListener(signal, listener);
  };
  return { [Symbol.dispose]: remove };
}
