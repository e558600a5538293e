import { copiedText } from "../support/copy_request.ts";
import { readEventStream } from "../support/event_stream.ts";
import type { TestServer } from "../support/test_server.ts";

/** Something to ask for, and the right answer. */
export interface Work {
  /** Fields of `/v1/blocks` and of `/v1/completions` alike. */
  readonly fields: Readonly<Record<string, string | number>>;
  readonly text: string;
}

/** Gives a client something to ask for; `draw` gives numbers in [0, 1). */
export type Workload = (draw: () => number) => Work;

const BLOCK_SIZES = [1, 2, 4, 8, 16, 32];
const STRATEGIES = [
  "first_hitting",
  "ancestral",
  "sequential",
  "random",
  "low_confidence_static",
  "low_confidence_dynamic",
  "entropy_bounded",
];
const WORDS = ["on", "and", "over", "again", "once", "upon", "a", "time", "there", "was"];

/** Different requests of one model whose answers were written down before. */
const REFERENCES = 24;

/** Work for the test model, whose answers are known: prompts over and over, up to a stop string. */
export const copyWorkload: Workload = (draw) => {
  const prompt = Array.from({ length: 1 + below(draw, 30) }, () => pick(draw, WORDS)).join(" ");
  const tokens = 1 + below(draw, 300);
  const text = copiedText(`${prompt} `, tokens);
  const fields = {
    prompt: `${prompt} `,
    max_tokens: tokens,
    seed: below(draw, 1e6),
    block_size: pick(draw, BLOCK_SIZES),
    strategy: pick(draw, STRATEGIES),
  };
  if (draw() < 0.8) return { fields, text };
  const stop = pick(draw, WORDS);
  const at = text.indexOf(stop);
  return { fields: { ...fields, stop }, text: at < 0 ? text : text.slice(0, at) };
};

/** Work for a real model: what it answered while it had nothing else to do must come again. */
export async function referenceWorkload(server: TestServer, draw: () => number): Promise<Workload> {
  const works: Work[] = [];
  for (let seed = 0; seed < REFERENCES; seed++) {
    const prompt = Array.from({ length: below(draw, 8) }, () => pick(draw, WORDS)).join(" ");
    const fields = {
      prompt,
      max_tokens: 1 + below(draw, 48),
      seed,
      strategy: pick(draw, STRATEGIES),
    };
    const { text } = await readEventStream(await server.post("/v1/blocks", fields));
    works.push({ fields, text });
  }
  return (later) => pick(later, works);
}

/** An integer in [0, end). */
export function below(draw: () => number, end: number): number {
  return Math.floor(draw() * end);
}

/** One of `values`, of which there is one at least. */
export function pick<T>(draw: () => number, values: readonly T[]): T {
  return values[below(draw, values.length)]!;
}
