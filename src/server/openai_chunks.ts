import type { SequenceRequest } from "../engine/request.ts";
import type { BlocksEvent, DoneData } from "./events.ts";

/** How one of OpenAI's endpoints puts what it says. */
export interface AnswerShape {
  readonly idPrefix: string;
  /** `object` of a whole answer, and of a chunk of a stream. */
  readonly object: string;
  readonly chunkObject: string;
  /** A choice of a whole answer with this text. */
  whole(text: string): Readonly<Record<string, unknown>>;
  /** A piece of a choice's text. */
  part(text: string): Readonly<Record<string, unknown>>;
  /** What a choice of a stream begins with, before it has text. */
  readonly opening: Readonly<Record<string, unknown>> | null;
  /** What it ends with. */
  readonly closing: Readonly<Record<string, unknown>>;
}

/** What an answer and all of its chunks say alike. */
export interface AnswerHead {
  readonly id: string;
  /** Seconds since the epoch. */
  readonly created: number;
  readonly model: string;
  readonly system_fingerprint: string;
}

/** Turns what becomes of the choices of a request into the chunks of its stream. */
export class ChunkWriter {
  readonly #shape: AnswerShape;
  readonly #job: {
    readonly head: AnswerHead;
    readonly sequences: readonly SequenceRequest[];
    readonly prefixes: readonly string[];
    readonly includeUsage: boolean;
  };
  /** By choice. */
  readonly #ends = new Map<number, DoneData>();

  constructor(shape: AnswerShape, job: {
    readonly head: AnswerHead;
    readonly sequences: readonly SequenceRequest[];
    /** Text that each choice begins with. */
    readonly prefixes: readonly string[];
    readonly includeUsage: boolean;
  }) {
    this.#shape = shape;
    this.#job = job;
  }

  /** The ends of the choices that have ended, in their order. */
  get ends(): readonly DoneData[] {
    return this.#job.sequences.flatMap((_, index) => this.#ends.get(index) ?? []);
  }

  /** The chunks that an event of the choice with this index gives rise to. */
  chunksOf(event: BlocksEvent, index: number): unknown[] {
    const { opening, closing } = this.#shape;
    switch (event.event) {
      case "start": {
        const prefix = this.#job.prefixes[index] ?? "";
        const chunks = opening === null ? [] : [this.#chunk(index, opening)];
        return prefix === "" ? chunks : [...chunks, this.#chunk(index, this.#shape.part(prefix))];
      }
      case "step":
        return [];
      case "block": {
        const { text } = event.data;
        return text === "" ? [] : [this.#chunk(index, this.#shape.part(text))];
      }
      case "done": {
        this.#ends.set(index, event.data);
        const { sequences } = this.#job;
        const isLast = this.#ends.size === sequences.length;
        const last = this.#chunk(index, closing, event.data.finish_reason);
        return [isLast ? { ...last, diffusion: diffusionOf(sequences[0]!, this.ends) } : last];
      }
    }
  }

  /** The chunk that tells what the whole answer took. */
  usageChunk(usage: unknown): unknown {
    return { ...this.#head(), choices: [], usage };
  }

  #chunk(
    index: number,
    content: Readonly<Record<string, unknown>>,
    finishReason: string | null = null,
  ): Record<string, unknown> {
    const choice = { index, ...content, logprobs: null, finish_reason: finishReason };
    const chunk = { ...this.#head(), choices: [choice] };
    return this.#job.includeUsage ? { ...chunk, usage: null } : chunk;
  }

  #head() {
    const { id, created, model, system_fingerprint } = this.#job.head;
    return { id, object: this.#shape.chunkObject, created, model, system_fingerprint };
  }
}

/** How the choices of a request were made, summed up over them; `request` is the first one's. */
export function diffusionOf(
  { seed, strategy, blockSize }: SequenceRequest,
  ends: readonly DoneData[],
) {
  const sum = (of: (end: DoneData) => number) => ends.reduce((total, end) => total + of(end), 0);
  return {
    seed,
    strategy: strategy.strategy,
    block_size: blockSize,
    blocks: sum(({ blocks }) => blocks),
    steps: sum(({ steps }) => steps),
    nfe: sum(({ nfe }) => nfe),
  };
}
