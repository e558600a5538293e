import { abortable } from "@std/async";
import { z } from "zod";
import type { OpenedModel } from "../commands/model_command.ts";
import { VERSION } from "../commands/version.ts";
import { admit } from "../server/admit.ts";
import { Messages, promptOf } from "../server/chat_messages.ts";
import { blocksEvents } from "../server/events.ts";
import { planGeneration } from "../server/plan.ts";
import { randomName } from "../server/request_id.ts";
import type { RunObserver } from "../server/run.ts";
import { BlocksFields, parseFields, parseGeneration } from "../server/schema.ts";
import { planScore, scoreData, ScoreFields } from "../server/score.ts";
import type { ChatMessage } from "../text/chat_template.ts";
import { type GeneratedText, type TextBlock, type TextEnd, toLibrary } from "./events.ts";
import { type GenerateOptions, type ScoreOptions, toFields, withOptionNames } from "./options.ts";

/** What to go on from: text, token ids, or a chat for models that have a template. */
export type Prompt = string | readonly number[] | readonly ChatMessage[];

/** What is known of a loaded model. */
export interface ModelDescription {
  /** Name of its directory. */
  readonly id: string;
  /** Tokens of prompt and text together. */
  readonly contextLength: number;
  /** Token ids are below it. */
  readonly vocabSize: number;
  /** Those that may be asked for, rising. */
  readonly blockSizes: readonly number[];
  /** The one that it was made for. */
  readonly defaultBlockSize: number;
  /** Whether a prompt may be a chat. */
  readonly hasChat: boolean;
  /** Name of the device. */
  readonly adapter: string;
}

/** How likely the model finds a text: a bound, and from it the perplexity. */
export interface TextScore {
  /** Tokens that were scored. */
  readonly tokens: number;
  /** Upper bound on the negative log-likelihood, nats. */
  readonly nelbo: number;
  /** Standard error of `nelbo` over draws. */
  readonly error: number;
  /** e to the power of `nelbo` per token. */
  readonly perplexity: number;
  /** Whether the bound is the likelihood itself. */
  readonly isExact: boolean;
  /** The one given, or the fresh one. */
  readonly seed: number;
}

/** With `overflow: "slide"`: the most that the server can be told to allow. */
const MAX_OUTPUT_TOKENS = 1_000_000;

const NOBODY: RunObserver = { admitted() {}, prefilled() {}, block() {}, ended() {} };

const Chat = z.strictObject({ messages: Messages });

const randomBytes = (count: number) => crypto.getRandomValues(new Uint8Array(count));

/** A loaded model, which generates and scores texts: several at a time, in one batch. */
export class Engine implements AsyncDisposable {
  readonly #running: OpenedModel;

  /** @ignore Made by `loadModel()`. */
  constructor(running: OpenedModel) {
    this.#running = running;
  }

  /** What is known of the model. */
  get model(): ModelDescription {
    const { engine: { model }, chat } = this.#running;
    const { id, contextLength, vocabSize, blockSizes, defaultBlockSize, adapter } = model;
    const hasChat = chat !== null;
    return { id, contextLength, vocabSize, blockSizes, defaultBlockSize, hasChat, adapter };
  }

  /**
   * Gives each block of a text as soon as it is final, then its end. Leaving the loop ends it.
   *
   * @throws {RangeError} If an option does not fit, or the model cannot do it.
   * @throws The reason of `options.signal`, or what the engine fails with.
   */
  async *blocks(
    prompt: Prompt,
    options: GenerateOptions = {},
  ): AsyncGenerator<TextBlock | TextEnd, void> {
    const model = this.#running;
    const { signal = new AbortController().signal } = options;
    const { stop, sequence } = this.#plan(prompt, options);
    const id = randomName("gen_", randomBytes);
    const nowMs = () => performance.timeOrigin + performance.now();
    const surroundings = { version: VERSION, nowMs, observeRun: () => NOBODY };
    const asked = { id, model, sequences: [sequence], stop, resumeMs: 0 };
    signal.throwIfAborted();
    const [run] = await admit(surroundings, asked);
    const events = toLibrary(blocksEvents(run!)); // One run for one sequence.
    try {
      while (true) {
        const { value, done } = await abortable(events.next(), signal);
        if (done) return;
        yield value;
      }
    } finally {
      run!.cancel();
    }
  }

  /**
   * Generates a text and gives it as a whole.
   *
   * @throws {RangeError} If an option does not fit, or the model cannot do it.
   * @throws The reason of `options.signal`, or what the engine fails with.
   */
  async generate(prompt: Prompt, options: GenerateOptions = {}): Promise<GeneratedText> {
    let text = "";
    const tokenIds: number[] = [];
    for await (const event of this.blocks(prompt, options)) {
      if (event.type === "end") {
        const { type: _, ...end } = event;
        return { text, tokenIds, ...end };
      }
      text += event.text;
      tokenIds.push(...event.tokens);
    }
    throw new Error("Cannot finish the text: its events ended without an end");
  }

  /**
   * Bounds how likely the model finds a text.
   *
   * @throws {RangeError} If an option does not fit, or the model cannot do it.
   * @throws The reason of `options.signal`, or what the engine fails with.
   */
  async score(
    text: string | readonly number[],
    options: ScoreOptions = {},
  ): Promise<TextScore> {
    const { signal } = options;
    const model = this.#running;
    const request = withOptionNames(() => {
      const fields = parseFields(ScoreFields, { ...toFields(options), input: text });
      return planScore(fields, model, { randomBytes });
    });
    signal?.throwIfAborted();
    const scoring = model.engine.score(request);
    const cancel = () => scoring.cancel();
    signal?.addEventListener("abort", cancel, { once: true });
    try {
      const scores = await scoring.scores;
      if (scores === null) throw signal?.reason ?? new Error("Cannot score: it was cancelled");
      const { tokens, nelbo, stderr, perplexity, exact } = scoreData(scores[0]!, 0); // One text.
      return { tokens, nelbo, error: stderr, perplexity, isExact: exact, seed: request.seed };
    } finally {
      signal?.removeEventListener("abort", cancel);
    }
  }

  /** Gives back the device; what is under way fails. Its Worker idles until the process ends. */
  async close(): Promise<void> {
    await this.#running.close();
  }

  /** As {@linkcode Engine.close}, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #plan(prompt: Prompt, options: GenerateOptions) {
    const model = this.#running;
    return withOptionNames(() => {
      const fields = { ...toFields(options), prompt: this.#toFieldPrompt(prompt) };
      const request = parseGeneration(BlocksFields, fields);
      const how = { maxOutputTokens: MAX_OUTPUT_TOKENS, trace: false, randomBytes };
      return { stop: request.stop, sequence: planGeneration(request, model, how) };
    });
  }

  #toFieldPrompt(prompt: Prompt): string | readonly number[] {
    const isChat = typeof prompt !== "string" && typeof prompt[0] === "object";
    if (!isChat) return prompt as string | readonly number[]; // The first entry tells.
    return promptOf(parseFields(Chat, { messages: prompt }).messages, this.#running);
  }
}
