import { pagesFor } from "../model/kv_cache.ts";
import { type NoisyCopy, scoredBlocks, type Text } from "./noisy_copy.ts";

/** A text and the noisy copies of it that are scored. */
export interface NoisyText extends Text {
  readonly copies: readonly NoisyCopy[];
}

/** Copies of one text that share its clean rows. */
export interface Task {
  /** Index of the text. */
  readonly text: number;
  /** Indices among the copies of the text. */
  readonly copies: readonly number[];
  /** Noise level of all rows. */
  readonly sigma: number;
}

/** A task, or as many of its copies as fit, with its places in the cache. */
export interface PlacedTask extends Task {
  readonly cleanSlot: number;
  /** By the place in `copies`. */
  readonly noisySlots: readonly number[];
}

/** Tasks that are in the cache at a time, and the pages of each slot. */
export interface Batch {
  readonly tasks: readonly PlacedTask[];
  /** By slot. */
  readonly pages: readonly number[];
}

/** The rows of one block: they see each other, so that one pass has all of them. */
export interface BlockRows {
  /** Masks after the end of the text fill its last block. */
  readonly tokens: readonly number[];
  /** Of the first; the others follow. */
  readonly position: number;
  readonly slot: number;
  /** Place of the task in its batch: the noise level. */
  readonly condition: number;
  /** Where the clean blocks are that a noisy block sees before it; `null` for a clean one. */
  readonly pastSlot: number | null;
  /** Tokens behind those masks whose probability is asked for; `null` for all other rows. */
  readonly targets: readonly (number | null)[];
  /** Index of the text, and of its copy for a noisy block. */
  readonly text: number;
  readonly copy: number | null;
}

/** What the cache holds. */
export interface PlanLimits {
  readonly slots: number;
  readonly pages: number;
  /** Rows of a pass, unless a single block has more. */
  readonly rows: number;
}

/** Where the clean text ends that the last block sees. */
function cleanEnd(text: Text): number {
  return scoredBlocks(text).at(-1) ?? 0;
}

/** Splits the copies of texts where they are told different noise levels. */
export function tasksOf(
  texts: readonly NoisyText[],
  { timeConditioning }: { readonly timeConditioning: boolean },
): Task[] {
  return texts.flatMap(({ copies }, text) => {
    const levelOf = (copy: number) => timeConditioning ? copies[copy]!.sigma : 0;
    const byLevel = Map.groupBy(copies.keys(), levelOf);
    return [...byLevel].map(([sigma, group]) => ({ text, copies: group, sigma }));
  });
}

/** Puts tasks into batches, in order, each as full as the cache allows. */
export function* batchesOf(
  tasks: readonly Task[],
  texts: readonly NoisyText[],
  limits: PlanLimits,
): Generator<Batch> {
  let batch = new BatchBuilder(limits);
  for (const task of tasks) {
    const { blockSize } = texts[task.text]!;
    const end = cleanEnd(texts[task.text]!);
    // Positions go round a noisy slot's pages: those of a pass, wherever they begin in a page.
    const ring = pagesFor(Math.max(limits.rows, blockSize)) + 1;
    const needed = {
      clean: Math.max(1, pagesFor(end)),
      noisy: Math.min(pagesFor(end + blockSize), ring),
    };
    for (let done = 0; done < task.copies.length;) {
      const copies = batch.take({ ...task, copies: task.copies.slice(done) }, needed);
      done += copies;
      if (copies > 0) continue;
      if (batch.isEmpty) throw new RangeError(`Cannot score: text ${task.text} exceeds the cache`);
      yield batch.build();
      batch = new BatchBuilder(limits);
    }
  }
  if (!batch.isEmpty) yield batch.build();
}

/** Rows of all passes of a batch. */
export function rowsOf({ tasks }: Batch, texts: readonly NoisyText[]): number {
  return tasks.reduce((sum, { text, copies }) => {
    const { length: blocks } = scoredBlocks(texts[text]!);
    const noisy = copies.length * blocks * texts[text]!.blockSize;
    return sum + cleanEnd(texts[text]!) + noisy;
  }, 0);
}

/** A batch that is being filled. */
class BatchBuilder {
  readonly #limits: PlanLimits;
  readonly #tasks: PlacedTask[] = [];
  readonly #pages: number[] = [];
  #freePages: number;

  constructor(limits: PlanLimits) {
    this.#limits = limits;
    this.#freePages = limits.pages;
  }

  get isEmpty(): boolean {
    return this.#tasks.length === 0;
  }

  /** Takes as many copies of the task as fit, and says how many. */
  take(task: Task, needed: { readonly clean: number; readonly noisy: number }): number {
    const freeSlots = this.#limits.slots - this.#pages.length;
    const byPages = Math.floor((this.#freePages - needed.clean) / needed.noisy);
    const count = Math.min(task.copies.length, freeSlots - 1, byPages);
    if (count <= 0) return 0;
    const cleanSlot = this.#reserve(needed.clean);
    const copies = task.copies.slice(0, count);
    const noisySlots = copies.map(() => this.#reserve(needed.noisy));
    this.#tasks.push({ ...task, copies, cleanSlot, noisySlots });
    return count;
  }

  build(): Batch {
    return { tasks: this.#tasks, pages: this.#pages };
  }

  #reserve(pages: number): number {
    this.#freePages -= pages;
    return this.#pages.push(pages) - 1;
  }
}

/**
 * The blocks of a batch in an order in which each comes after the clean blocks that it sees, or in
 * the same pass.
 */
export function* blocksOf(
  { tasks }: Batch,
  texts: readonly NoisyText[],
  { maskToken }: { readonly maskToken: number },
): Generator<BlockRows> {
  for (const [condition, task] of tasks.entries()) {
    const text = texts[task.text]!;
    const first = scoredBlocks(text)[0] ?? 0;
    const end = cleanEnd(text);
    for (let position = 0; position <= end; position += text.blockSize) {
      const shared = { position, condition, text: task.text };
      for (const [place, copy] of task.copies.entries()) {
        if (position < first) continue;
        const rows = noisyRows(text, { copy, position, maskToken });
        const slots = { slot: task.noisySlots[place]!, pastSlot: task.cleanSlot };
        yield { ...shared, ...rows, ...slots, copy };
      }
      // Nothing looks at the last clean block.
      if (position === end) continue;
      const tokens = text.x0.slice(position, position + text.blockSize);
      const targets = tokens.map(() => null);
      yield { ...shared, tokens, targets, slot: task.cleanSlot, pastSlot: null, copy: null };
    }
  }
}

/** Tokens of a noisy block, and those behind its masks. */
function noisyRows(
  { x0, blockSize, copies }: NoisyText,
  { copy, position, maskToken }: {
    readonly copy: number;
    readonly position: number;
    readonly maskToken: number;
  },
): Pick<BlockRows, "tokens" | "targets"> {
  const { xt } = copies[copy]!;
  const places = Array.from({ length: blockSize }, (_, i) => position + i);
  const tokens = places.map((place) => xt[place] ?? maskToken);
  const targets = places.map((place, i) => tokens[i] === maskToken ? x0[place] ?? null : null);
  return { tokens, targets };
}
