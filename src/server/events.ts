import type { BlockEvent, EndEvent, StepEvent } from "../engine/request.ts";
import { TextStream } from "../text/text_stream.ts";
import type { ErrorBody } from "./errors.ts";
import { usageData } from "./usage.ts";
import type { Run, RunParts } from "./run.ts";
import { detailFacts, factsOf, probability, type TokenFacts } from "./token_facts.ts";

/** `data` of the `start` event. */
export type StartData = ReturnType<typeof startData>;

/** `data` of a `block` event. */
export interface BlockData extends TokenFacts {
  readonly index: number;
  readonly position: number;
  readonly tokens: readonly number[];
  readonly text: string;
  readonly steps: number;
  readonly nfe: number;
  readonly ms: number;
}

/** `data` of the `done` event. */
export type DoneData = Awaited<ReturnType<typeof doneData>>;

/** What a client of `/v1/blocks` is sent, in order. */
export type BlocksEvent =
  | { readonly event: "start"; readonly id: string; readonly data: StartData }
  | { readonly event: "step"; readonly id: null; readonly data: ReturnType<typeof stepData> }
  | { readonly event: "block"; readonly id: string; readonly data: BlockData }
  | { readonly event: "done"; readonly id: string; readonly data: DoneData };

/** The last event of a run that failed, in place of `done`. */
export interface FailedEvent {
  readonly event: "error";
  readonly id: string;
  readonly data: ErrorBody;
}

/** The number of a run's final event is the number of its blocks plus one. */
export function eventId(id: string, number: number): string {
  return `${id}.${number}`;
}

/**
 * Turns a sequence's tokens into text and its events into those of the wire. At a stop string it
 * cuts the block and cancels the sequence, then waits for its end: when `done` is sent, the place
 * is free. Passes that were under way at the stop are not counted.
 *
 * @throws What the sequence failed with.
 */
export async function* blocksEvents(run: Run): AsyncGenerator<BlocksEvent, void> {
  const { observer } = run.parts;
  try {
    for await (const event of wireEvents(run)) {
      if (event.event === "done") observer.ended(event.data.finish_reason);
      yield event;
    }
  } catch (error) {
    observer.ended("error");
    throw error;
  }
}

async function* wireEvents(run: Run): AsyncGenerator<BlocksEvent, void> {
  const { id, model, generation, observer, nowMs, submittedMs } = run.parts;
  yield { event: "start", id: eventId(id, 0), data: startData(run.parts) };
  const blocks: BlockData[] = [];
  const text = new TextStream(model.tokenizer, { stop: run.parts.stop });
  let firstBlockMs: number | null = null;
  let cachedTokens = 0;
  let stop: string | null = null;
  for await (const event of generation.events) {
    switch (event.type) {
      case "admitted":
        observer.admitted(event.queueMs);
        break;
      case "prefilled":
        observer.prefilled(event.ms);
        cachedTokens = event.cachedTokens;
        break;
      case "step":
        if (stop !== null) break;
        yield { event: "step", id: null, data: stepData(event, run.parts) };
        break;
      case "block": {
        if (stop !== null) break;
        const sinceSubmissionMs = nowMs() - submittedMs;
        firstBlockMs ??= sinceSubmissionMs;
        const cut = cutAtStop(event, { ...run.parts, stream: text });
        stop = cut.stop;
        blocks.push(cut.data);
        observer.block(cut.data, sinceSubmissionMs);
        if (stop !== null) generation.cancel();
        yield { event: "block", id: eventId(id, blocks.length), data: cut.data };
        break;
      }
      case "end": {
        if (run.failure !== null) throw run.failure;
        const tally = { blocks, stop, end: event, cachedTokens, firstBlockMs };
        const data = await doneData(run.parts, tally);
        yield { event: "done", id: eventId(id, blocks.length + 1), data };
        return;
      }
    }
  }
  throw new Error("Cannot finish the generation: its events ended without an end event");
}

function cutAtStop(
  event: BlockEvent,
  { stream, model, asked }: Pick<RunParts, "model" | "asked"> & { readonly stream: TextStream },
): { data: BlockData; stop: string | null } {
  const { index, position, steps, nfe, last } = event;
  const { text, stopped } = stream.push(event.tokens);
  const tokens = event.tokens.slice(0, stopped?.tokens);
  const reveals = event.reveals?.slice(0, tokens.length) ?? [];
  const facts = asked ? factsOf(reveals, { asked, tokenizer: model.tokenizer }) : {};
  const data = { index, position, tokens, ...facts, text, steps, nfe, ms: round(event.ms) };
  if (stopped !== null) return { data, stop: stopped.stop };
  // What is held back comes now; it may still complete a stop string.
  return last
    ? { data: { ...data, text: text + stream.end() }, stop: stream.stop }
    : { data, stop: null };
}

function startData({ id, model, request, generation, resumeMs, fingerprint, ...run }: RunParts) {
  const { strategy } = request;
  return {
    id,
    object: "blocks.start",
    created: Math.floor(run.submittedMs / 1000),
    model: model.engine.model.id,
    seed: request.seed,
    prompt_tokens: request.prompt.length,
    max_tokens: request.maxTokens,
    queue_position: generation.queuePosition,
    params: {
      block_size: request.blockSize,
      ...(request.subBlockSize && { sub_block_size: request.subBlockSize }),
      strategy: strategy.strategy,
      steps: "steps" in strategy ? strategy.steps ?? null : null,
      threshold: "threshold" in strategy ? strategy.threshold : null,
      entropy_bound: "entropy_bound" in strategy ? strategy.entropy_bound : null,
      temperature: request.temperature,
      top_p: request.topP,
      top_k: request.topK,
    },
    resume_ms: resumeMs,
    system_fingerprint: fingerprint,
  };
}

function stepData(
  { block, step, nfe, tokens, revealed, ...event }: StepEvent,
  { model: { tokenizer }, asked }: Pick<RunParts, "model" | "asked">,
) {
  const pieces = tokens.map((token) => token === null ? null : tokenizer.piece(token));
  const confidence = event.confidence.map(probability);
  const facts = asked && detailFacts(event.details ?? [], { asked, tokenizer });
  return { block, step, nfe, tokens, pieces, revealed, confidence, ...facts };
}

/** What a finished generation is summed up from. */
interface Tally {
  readonly blocks: readonly BlockData[];
  /** The stop string that ended it. */
  readonly stop: string | null;
  readonly end: EndEvent;
  /** Prompt tokens that were stored already. */
  readonly cachedTokens: number;
  /** From submission. */
  readonly firstBlockMs: number | null;
}

async function doneData(run: RunParts, { blocks, stop, end, cachedTokens, firstBlockMs }: Tally) {
  const reason = stop === null ? end.reason : "stop" as const;
  const totalMs = run.nowMs() - run.submittedMs;
  const generateMs = Math.max(totalMs - end.queueMs, 0);
  const promptTokens = run.request.prompt.length;
  const completionTokens = sum(blocks.map(({ tokens }) => tokens.length));
  const isOwn = reason === "length" || reason === "cancelled";
  return {
    finish_reason: isOwn ? reason : "stop" as const,
    stop_reason: reason,
    stop,
    usage: usageData({ promptTokens, completionTokens, cachedTokens }),
    blocks: blocks.length,
    steps: sum(blocks.map(({ steps }) => steps)),
    nfe: sum(blocks.map(({ nfe }) => nfe)),
    passes: end.passes,
    text_sha256: await sha256(blocks.map(({ text }) => text).join("")),
    timings: {
      queue_ms: round(end.queueMs),
      first_block_ms: firstBlockMs === null ? null : round(firstBlockMs),
      generate_ms: round(generateMs),
      total_ms: round(totalMs),
      // No rate is known of what took no measurable time.
      tokens_per_second: generateMs === 0 ? 0 : round(1000 * completionTokens / generateMs),
    },
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, each) => total + each, 0);
}

/** `value` to a thousandth: more digits of a duration are noise. */
function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}

async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(digest).toHex();
}
