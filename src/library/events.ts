import type { BlocksEvent, DoneData, StartData } from "../server/events.ts";

/** A block of a text, as soon as it is final. */
export interface TextBlock {
  /** Tells it from the end. */
  readonly type: "block";
  /** Counts from 0. */
  readonly index: number;
  /** What the block adds; a character that it cuts comes with the next one. */
  readonly text: string;
  /** Those that count: up to the end token, or the one that completed a stop string. */
  readonly tokens: readonly number[];
  /** Denoising steps. */
  readonly steps: number;
  /** Milliseconds since the block before. */
  readonly ms: number;
}

/** The end of a text, after its last block. */
export interface TextEnd {
  /** Tells it from blocks. */
  readonly type: "end";
  /** The end token, a stop string, the length, the entropy, or `cancelled`. */
  readonly reason: "eos" | "stop" | "length" | "entropy" | "cancelled";
  /** The stop string that ended it. */
  readonly stop: string | null;
  /** The one given, or the fresh one. */
  readonly seed: number;
  /** Tokens of the prompt, with what the model puts in front. */
  readonly promptTokens: number;
  /** Tokens that were generated and count. */
  readonly tokens: number;
  /** Blocks that were finished. */
  readonly blocks: number;
  /** Forward passes. */
  readonly passes: number;
  /** Milliseconds from the beginning, waiting not included. */
  readonly ms: number;
}

/** A text as a whole. */
export interface GeneratedText extends Omit<TextEnd, "type"> {
  /** Without the stop string that ended it. */
  readonly text: string;
  /** As many as `tokens`. */
  readonly tokenIds: readonly number[];
}

/** Gives blocks and the end in the words of the library, and drops what it has no words for. */
export async function* toLibrary(
  events: AsyncIterable<BlocksEvent>,
): AsyncGenerator<TextBlock | TextEnd, void> {
  let start: StartData | null = null;
  for await (const each of events) {
    if (each.event === "start") start = each.data;
    if (each.event === "block") {
      const { index, text, tokens, steps, ms } = each.data;
      yield { type: "block", index, text, tokens, steps, ms };
    }
    // The first event is the start.
    if (each.event === "done") yield toEnd(each.data, start!);
  }
}

function toEnd(done: DoneData, { seed }: StartData): TextEnd {
  return {
    type: "end",
    reason: done.stop_reason,
    stop: done.stop,
    seed,
    promptTokens: done.usage.prompt_tokens,
    tokens: done.usage.completion_tokens,
    blocks: done.blocks,
    passes: done.passes,
    ms: done.timings.generate_ms,
  };
}
