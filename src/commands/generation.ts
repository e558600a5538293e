import { abortable } from "@std/async";
import type { EndEvent, Engine, SequenceRequest, StepEvent } from "../engine/request.ts";
import { MASK } from "../server/drafts.ts";
import type { LoadedModel } from "../server/loaded_models.ts";
import { planGeneration } from "../server/plan.ts";
import type { RandomBytes } from "../server/request_id.ts";
import { TextStream } from "../text/text_stream.ts";
import { type GenerationOptions, withFlagNames } from "./generate_options.ts";
import { LiveText, type Span } from "./live_text.ts";
import type { TerminalOutput } from "./terminal.ts";

/** What one generation has come to. */
export interface GenerationSummary {
  readonly text: string;
  /** Those that count: up to the end token, or the one that completed a stop string. */
  readonly tokenIds: readonly number[];
  /** As many as `tokenIds`. */
  readonly tokens: number;
  readonly blocks: number;
  /** Time that the blocks took, in milliseconds, and the first of them; 0 without any. */
  readonly ms: number;
  readonly firstBlockMs: number;
  /** Forward passes. */
  readonly passes: number;
  readonly reason: EndEvent["reason"] | "stop";
  /** The stop string that ended it. */
  readonly stop: string | null;
}

/** What {@linkcode generate} works with. */
export interface GenerateContext {
  readonly engine: Pick<Engine, "submit">;
  readonly tokenizer: LoadedModel["tokenizer"];
  readonly output: TerminalOutput;
  /** Ends the generation at once. */
  readonly signal: AbortSignal;
  /** Called with text that is added, and with the tokens so far. */
  readonly onText?: (text: string, tokens: number) => void;
}

/** With `--overflow slide`: the most that `serve` can be told to allow. */
const MAX_OUTPUT_TOKENS = 1_000_000;

/** A token that is not known yet. */
const UNKNOWN: Span = { text: MASK, isDim: true };

/**
 * Fills in what the command line leaves to the model.
 *
 * @throws {UsageError} If the model cannot do what it asks for.
 */
export function planRequest(
  { request }: Pick<GenerationOptions, "request">,
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
  { engine, tokenizer, output, signal, onText }: GenerateContext,
): Promise<GenerationSummary> {
  signal.throwIfAborted();
  const generation = engine.submit([request])[0]!;
  const events = generation.events[Symbol.asyncIterator]();
  const live = new LiveText(output);
  const tally = new Tally(tokenizer, stop);
  const add = (text: string) => {
    live.append(text);
    onText?.(text, tally.tokenIds.length);
  };
  try {
    while (true) {
      const { value: event, done } = await abortable(events.next(), signal);
      if (done) throw new Error("Cannot finish the text: the sequence has no end event");
      if (event.type === "end") {
        if (tally.stop === null) add(tally.rest());
        return tally.summary(event);
      }
      // What is still under way when a stop string is found does not count.
      if (tally.stop !== null) continue;
      if (event.type === "step") live.preview(pieces(event, tokenizer));
      if (event.type !== "block") continue;
      add(tally.push(event.tokens, event.ms));
      if (tally.stop !== null) generation.cancel();
    }
  } finally {
    generation.cancel();
    live.end();
  }
}

/** Adds up blocks to text and times. */
class Tally {
  readonly tokenIds: number[] = [];
  readonly #stream: TextStream;
  #text = "";
  #blocks = 0;
  #ms = 0;
  #firstBlockMs = 0;

  constructor(tokenizer: GenerateContext["tokenizer"], stop: readonly string[]) {
    this.#stream = new TextStream(tokenizer, { stop });
  }

  get stop(): string | null {
    return this.#stream.stop;
  }

  /** The text that a block adds. */
  push(tokens: readonly number[], ms: number): string {
    const { text, stopped } = this.#stream.push(tokens);
    this.tokenIds.push(...tokens.slice(0, stopped?.tokens ?? tokens.length));
    if (this.#blocks === 0) this.#firstBlockMs = ms;
    this.#blocks += 1;
    this.#ms += ms;
    this.#text += text;
    return text;
  }

  /** The text that was held back. */
  rest(): string {
    const text = this.#stream.end();
    this.#text += text;
    return text;
  }

  summary({ passes, reason }: EndEvent): GenerationSummary {
    const { tokenIds, stop } = this;
    return {
      text: this.#text,
      tokenIds,
      tokens: tokenIds.length,
      blocks: this.#blocks,
      ms: this.#ms,
      firstBlockMs: this.#firstBlockMs,
      passes,
      reason: stop === null ? reason : "stop",
      stop,
    };
  }
}

function pieces(
  { tokens }: StepEvent,
  tokenizer: GenerateContext["tokenizer"],
): Span[] {
  return tokens.map((token) => token === null ? UNKNOWN : { text: tokenizer.piece(token) });
}
