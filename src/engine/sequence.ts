import type { LaneResult, PromptRows, Remains } from "../model/denoiser.ts";
import type { Reveal, SequenceEvent, SequenceRequest } from "./request.ts";
import { cutBlock, type EndReason, ENTROPY_WINDOW } from "./stop.ts";

/** One request inside the engine, from its slot to its end. Follows what the device reports. */
export class Sequence {
  readonly id: number;
  readonly request: SequenceRequest;
  readonly slot: number;
  readonly #queueMs: number;
  /** Positions that the cache keeps of it at a time. */
  readonly #capacity: number;
  /** Prompt tokens before the first block, and those of them that were planned. */
  readonly #promptEnd: number;
  #prefilled = 0;
  /** Prompt tokens known to be in the cache, and those of them that an earlier sequence has stored. */
  #stored = 0;
  #reused = 0;
  #isPrefillTold = false;
  readonly #admittedAt: number;
  /** Passes that were planned and not yet read. */
  #inFlight = 0;
  #passes = 0;
  /** Whether the first denoising pass was counted as the last one of the prompt. */
  #sharesFirstPass = false;
  /** Generated tokens so far, of clean blocks; the last of them. */
  #generated = 0;
  #recent: number[] = [];
  #blocks = 0;
  /** Tokens of the prompt and of the clean blocks. */
  readonly #tokens: number[];
  #blockStartedAt: number;
  /** Position of the current block when the device last reported, and the masks left in it. */
  #start: number;
  #masked: number;
  /** Whether the device has ended it. */
  #isOver = false;
  /** How the generated tokens of the block fell, by their place; for those who want to know. */
  #reveals: Reveal[] = [];
  #end: EndReason | "cancelled" | null = null;

  constructor(
    id: number,
    request: SequenceRequest,
    admission: {
      readonly slot: number;
      /** Position of its first block. */
      readonly start: number;
      readonly now: number;
      readonly queueMs: number;
      readonly capacity: number;
    },
  ) {
    this.#capacity = admission.capacity;
    this.id = id;
    this.request = request;
    this.slot = admission.slot;
    this.#queueMs = admission.queueMs;
    this.#admittedAt = admission.now;
    this.#blockStartedAt = admission.now;
    this.#promptEnd = admission.start;
    this.#tokens = [...request.prompt];
    this.#start = admission.start;
    this.#masked = this.#promptEnd + request.blockSize - request.prompt.length;
  }

  /** Whether the whole prompt was planned, so that denoising may begin. */
  get isPrefilled(): boolean {
    return this.#prefilled === this.#promptEnd;
  }

  /** Prompt tokens that were planned. */
  get planned(): number {
    return this.#prefilled;
  }

  /** What it leaves behind in the cache. */
  get remains(): Remains {
    const { blockSize } = this.request;
    // The device is at a block when those before it are stored. It may be further by now.
    const end = this.#stored === this.#promptEnd ? this.#start : this.#stored;
    const ahead = this.#isOver ? 0 : this.#inFlight;
    return {
      tokens: this.#tokens.slice(0, end),
      reach: this.#start + (1 + ahead) * blockSize,
    };
  }

  /** Whether it takes part in no further pass. */
  get hasEnded(): boolean {
    return this.#end !== null;
  }

  /** Passes that it can still use: each gives one token at least. */
  get passesLeft(): number {
    const { maxTokens, prompt, blockSize } = this.request;
    const blocks = Math.ceil((prompt.length + maxTokens - this.#start) / blockSize);
    const masked = (blocks - 1) * blockSize + this.#masked;
    return this.hasEnded ? 0 : Math.max(0, masked - this.#inFlight);
  }

  /** The next prompt rows: whole blocks, at most `rows` of them. */
  takePrompt(rows: number): PromptRows | null {
    const { prompt, blockSize } = this.request;
    // All rows of a pass are stored before any of them looks back: what they, and the first block
    // beside them, overwrite once positions go round must be out of sight for all.
    const room = Math.max(2 * blockSize, this.#capacity - this.#prefilled) - blockSize;
    const whole = Math.floor(Math.min(rows, room) / blockSize) * blockSize;
    const count = Math.min(whole, this.#promptEnd - this.#prefilled);
    if (count === 0) return null;
    const position = this.#prefilled;
    this.#prefilled += count;
    this.#passes += 1;
    const tokens = prompt.slice(position, position + count);
    return { slot: this.slot, position, tokens, blockSize };
  }

  /** Notes that the next `count` prompt tokens are stored already. */
  skipPrompt(count: number): void {
    this.#prefilled += count;
    this.#stored += count;
    this.#reused += count;
  }

  /** Notes that a pass was planned. */
  planPass({ withPrompt }: { readonly withPrompt: boolean }): void {
    this.#inFlight += 1;
    // Prompt rows and denoising rows in the same pass are one pass; it can only be the first.
    if (withPrompt) this.#sharesFirstPass = true;
  }

  /** The event of its admission. */
  admitted(): SequenceEvent[] {
    return [{ type: "admitted", queueMs: this.#queueMs }, ...this.#tellPrefilled(this.#admittedAt)];
  }

  /** Notes that `count` more prompt tokens are in the cache. */
  prefill(count: number, now: number): SequenceEvent[] {
    this.#stored += count;
    return this.#tellPrefilled(now);
  }

  /** Follows one pass; the events that it gives rise to. */
  apply(result: LaneResult, now: number): SequenceEvent[] {
    this.#inFlight -= 1;
    if (this.hasEnded || result.status === "idle" || result.status === "failed") return [];
    this.#passes += this.#sharesFirstPass ? 0 : 1;
    this.#sharesFirstPass = false;
    this.#start = result.start;
    this.#masked = result.masked;
    this.#isOver = result.isOver;
    // The last of the prompt may have been there by itself.
    const events = this.#tellPrefilled(now);
    const { trace, tellsReveals = false } = this.request;
    const revealed = trace || tellsReveals ? this.#noteReveals(result) : [];
    if (trace) events.push(this.#step(result, revealed));
    const isDone = result.masked === 0 || result.isOver;
    return isDone ? [...events, ...this.#block(result, now)] : events;
  }

  /** Ends it before its time. */
  cancel(): SequenceEvent[] {
    return this.hasEnded ? [] : [this.#finish("cancelled")];
  }

  /** The event of the prompt's end, once. */
  #tellPrefilled(now: number): SequenceEvent[] {
    const isDue = this.#promptEnd > 0 && this.#stored === this.#promptEnd;
    if (this.hasEnded || !isDue || this.#isPrefillTold) return [];
    this.#isPrefillTold = true;
    return [{ type: "prefilled", ms: now - this.#admittedAt, cachedTokens: this.#reused }];
  }

  /** Notes how tokens fell. Returns the places of those that are new among the generated ones. */
  #noteReveals({ tokens, start, step, confidence, details }: LaneResult): number[] {
    const first = this.#firstGenerated(start);
    const revealed = tokens.slice(first).flatMap((token, i) =>
      token !== null && this.#reveals[i] === undefined ? [i] : []
    );
    for (const i of revealed) {
      const reveal = { step, confidence: confidence[first + i]! };
      const more = details?.[first + i];
      this.#reveals[i] = more ? { ...reveal, details: more } : reveal;
    }
    return revealed;
  }

  #step(result: LaneResult, revealed: readonly number[]): SequenceEvent {
    const { start, step, nfe } = result;
    const tokens = result.tokens.slice(this.#firstGenerated(start));
    const reveals = revealed.map((i) => this.#reveals[i]!); // Noted before.
    const confidence = reveals.map((reveal) => reveal.confidence);
    const event = { block: this.#blocks, step, nfe, tokens, revealed, confidence };
    if (!this.request.isDetailed) return { type: "step", ...event };
    return { type: "step", ...event, details: reveals.map(({ details }) => details!) };
  }

  /** The place in a block at `start` of the first token that is not of the prompt. */
  #firstGenerated(start: number): number {
    return Math.max(0, this.request.prompt.length - start);
  }

  #block({ tokens, start, step, nfe }: LaneResult, now: number): SequenceEvent[] {
    const { prompt, maxTokens, stopTokens, minEntropy, tellsReveals } = this.request;
    const firstMask = tokens.indexOf(null);
    const known = firstMask < 0 ? tokens : tokens.slice(0, firstMask);
    const clean = known.filter((token) => token !== null);
    const cut = cutBlock(clean.slice(this.#firstGenerated(start)), {
      left: maxTokens - this.#generated,
      stopTokens,
      minEntropy,
      recent: this.#recent,
    });
    const event: SequenceEvent = {
      type: "block",
      index: this.#blocks,
      position: prompt.length + this.#generated,
      tokens: cut.tokens,
      ...(tellsReveals && { reveals: this.#reveals.slice(0, cut.tokens.length) }),
      steps: step,
      nfe,
      ms: now - this.#blockStartedAt,
      last: cut.end !== null,
    };
    this.#blocks += 1;
    this.#reveals = [];
    this.#tokens.splice(start, Infinity, ...clean);
    this.#generated += cut.tokens.length;
    this.#recent = [...this.#recent, ...cut.tokens].slice(-ENTROPY_WINDOW);
    this.#blockStartedAt = now;
    return cut.end === null ? [event] : [event, this.#finish(cut.end)];
  }

  #finish(reason: EndReason | "cancelled"): SequenceEvent {
    this.#end = reason;
    return { type: "end", reason, passes: this.#passes, queueMs: this.#queueMs };
  }
}
