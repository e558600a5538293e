import type { SequenceRequest } from "../engine/request.ts";
import { type Draft, Drafts } from "./drafts.ts";
import type { BlockData, BlocksEvent, DoneData } from "./events.ts";
import type { LoadedModel } from "./loaded_models.ts";
import { ChoiceFacts, type GeneratedToken, joinFacts, type PieceFacts } from "./openai_facts.ts";

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
  /** `logprobs` of a choice, or of a piece of it. */
  toLogprobs(tokens: readonly GeneratedToken[]): unknown;
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

/** A chunk of a stream. */
export interface Chunk {
  readonly data: Readonly<Record<string, unknown>>;
  /** Whether a later one makes up for it, so that a slow reader can do without. */
  readonly isDraft: boolean;
}

/** What the chunks of a request are about. */
export interface ChunkJob {
  readonly head: AnswerHead;
  readonly model: LoadedModel;
  readonly sequences: readonly SequenceRequest[];
  /** Text that each choice begins with. */
  readonly prefixes: readonly string[];
  readonly includeUsage: boolean;
  /** Whether drafts of the texts come first, and each text as a whole after its last one. */
  readonly hasDrafts: boolean;
}

const NO_FACTS: PieceFacts = { logprobs: null };

/** Turns what becomes of the choices of a request into the chunks of its stream. */
export class ChunkWriter {
  readonly #shape: AnswerShape;
  readonly #job: ChunkJob;
  /** One for each choice; none without drafts. */
  readonly #drafts: readonly Drafts[];
  /** One for each choice, with blocks that wait for the end of its drafts. */
  readonly #facts: readonly { readonly told: ChoiceFacts; readonly waiting: BlockData[] }[];
  /** By choice. */
  readonly #ends = new Map<number, DoneData>();

  constructor(shape: AnswerShape, job: ChunkJob) {
    this.#shape = shape;
    this.#job = job;
    this.#drafts = job.hasDrafts
      ? job.sequences.map((sequence) => new Drafts(job.model, sequence))
      : [];
    this.#facts = job.prefixes.map((prefix) => ({
      told: new ChoiceFacts(job.model.tokenizer, { ...shape, prefix }),
      waiting: [],
    }));
  }

  /** The ends of the choices that have ended, in their order. */
  get ends(): readonly DoneData[] {
    return this.#job.sequences.flatMap((_, index) => this.#ends.get(index) ?? []);
  }

  /** The chunks that an event of the choice with this index gives rise to. */
  chunksOf(event: BlocksEvent, index: number): Chunk[] {
    const drafts = this.#drafts[index];
    const { told, waiting } = this.#facts[index]!; // One for each choice.
    switch (event.event) {
      case "start":
        return this.#opening(index);
      case "step":
        return drafts === undefined ? [] : [this.#draft(index, drafts.step(event.data.tokens))];
      case "block": {
        const { text } = event.data;
        if (drafts === undefined) {
          return this.#part(index, text, { facts: told.next(joinFacts([event.data])) });
        }
        waiting.push(event.data);
        return [this.#draft(index, drafts.block(event.data))];
      }
      case "done": {
        const closing = this.#closing(index, event.data);
        if (drafts === undefined) return [closing];
        const whole = { isWhole: true, facts: told.next(joinFacts(waiting)) };
        const text = this.#part(index, drafts.text, whole);
        return [this.#draft(index, drafts.end()), ...text, closing];
      }
    }
  }

  /** The chunk that tells what the whole answer took. */
  usageChunk(usage: unknown): unknown {
    return { ...this.#head(), choices: [], usage };
  }

  #opening(index: number): Chunk[] {
    const { opening } = this.#shape;
    // Without its mark the first chunk would be taken for the text.
    const mark = this.#job.hasDrafts ? diffusionMeta(0) : {};
    const chunks = opening === null
      ? []
      : [{ data: { ...this.#chunk(index, opening), ...mark }, isDraft: false }];
    return [...chunks, ...this.#part(index, this.#job.prefixes[index] ?? "")];
  }

  /** A piece of the text, if there is anything in it; the whole of it even then. */
  #part(
    index: number,
    text: string,
    { isWhole = false, facts = NO_FACTS }: { isWhole?: boolean; facts?: PieceFacts } = {},
  ): Chunk[] {
    const isEmpty = text === "" && !facts.logprobs && !facts.diffusion;
    if (isEmpty && !isWhole) return [];
    return [{ data: this.#chunk(index, this.#shape.part(text), { facts }), isDraft: false }];
  }

  #draft(index: number, { text, progress }: Draft): Chunk {
    const chunk = this.#chunk(index, this.#shape.part(text));
    return { data: { ...chunk, ...diffusionMeta(progress) }, isDraft: true };
  }

  #closing(index: number, end: DoneData): Chunk {
    this.#ends.set(index, end);
    const { sequences } = this.#job;
    const data = this.#chunk(index, this.#shape.closing, { finishReason: end.finish_reason });
    const isLast = this.#ends.size === sequences.length;
    const totals = isLast ? { diffusion: diffusionOf(sequences[0]!, this.ends) } : {};
    return { data: { ...data, ...totals }, isDraft: false };
  }

  #chunk(
    index: number,
    content: Readonly<Record<string, unknown>>,
    { finishReason = null, facts = NO_FACTS }: {
      finishReason?: string | null;
      facts?: PieceFacts;
    } = {},
  ): Record<string, unknown> {
    const { logprobs, ...others } = facts;
    const choice = { index, ...content, logprobs, finish_reason: finishReason, ...others };
    const chunk = { ...this.#head(), choices: [choice] };
    return this.#job.includeUsage ? { ...chunk, usage: null } : chunk;
  }

  #head() {
    const { id, created, model, system_fingerprint } = this.#job.head;
    return { id, object: this.#shape.chunkObject, created, model, system_fingerprint };
  }
}

/** Marks a chunk as a draft, in the way of Inception's API. */
function diffusionMeta(progress: number) {
  return { diffusion_meta: { diffusion_content: true, diffusion_progress: progress } };
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
