import type { Context } from "hono";
import type { SequenceRequest } from "../engine/request.ts";
import { admit } from "./admit.ts";
import { collect, type Collected } from "./collect.ts";
import type { AppEnv } from "./context.ts";
import { CLIENT_LEFT, jsonResponse } from "./errors.ts";
import { EventQueue } from "./event_queue.ts";
import { reportFailure } from "./failures.ts";
import { follow } from "./follow.ts";
import type { LoadedModel } from "./loaded_models.ts";
import { type AnswerHead, type AnswerShape, ChunkWriter, diffusionOf } from "./openai_chunks.ts";
import { ChoiceFacts, joinFacts } from "./openai_facts.ts";
import type { ServerParts } from "./parts.ts";
import { randomName } from "./request_id.ts";
import type { Run } from "./run.ts";
import { DONE, eventStream, type ServerEvent } from "./sse.ts";
import type { AskedFacts } from "./token_facts.ts";
import { usageData } from "./usage.ts";

/** What one of OpenAI's endpoints was asked for. */
export interface OpenAiJob {
  readonly model: LoadedModel;
  /** One for each choice: all of the first prompt, then those of the next. */
  readonly sequences: readonly SequenceRequest[];
  /** Text that each choice begins with. */
  readonly prefixes: readonly string[];
  /** Of all prompts, each counted once. */
  readonly promptTokens: number;
  readonly stop: readonly string[];
  readonly stream: boolean;
  /** Whether a stream ends with its usage. */
  readonly includeUsage: boolean;
  /** Whether a stream has drafts before the texts; the sequences are traced then. */
  readonly hasDrafts: boolean;
  /** What is to be told of each token. */
  readonly asked: AskedFacts;
}

/**
 * Generates the choices of a request and answers in OpenAI's form.
 *
 * @throws {RequestError | BusyError} If they cannot be taken now.
 */
export async function answerOpenAi(
  c: Context<AppEnv>,
  parts: ServerParts,
  { job, shape }: { readonly job: OpenAiJob; readonly shape: AnswerShape },
): Promise<Response> {
  const { model, sequences, stop, asked } = job;
  const id = randomName(shape.idPrefix, parts.randomBytes);
  const runs = await admit(parts, { id, model, sequences, stop, resumeMs: 0, asked });
  const [first] = runs;
  const { fingerprint, submittedMs } = first!.parts; // A request has a choice at least.
  const head = {
    id,
    created: Math.floor(submittedMs / 1000),
    model: model.engine.model.id,
    system_fingerprint: fingerprint,
  };
  if (job.stream) return streamed(runs, { job, shape, head, parts, requestId: c.get("requestId") });
  const { settings: { requestTimeoutMs } } = parts;
  const collected = await collect(runs, { signal: c.req.raw.signal, requestTimeoutMs });
  if (collected === null) return new Response(null, { status: CLIENT_LEFT });
  return jsonResponse(wholeAnswer(collected, { job, shape, head }));
}

/** An answer in the making. */
interface Answering {
  readonly job: OpenAiJob;
  readonly shape: AnswerShape;
  readonly head: AnswerHead;
}

function wholeAnswer(collected: readonly Collected[], { job, shape, head }: Answering) {
  const { id, created, model, system_fingerprint } = head;
  const ends = collected.map(({ done }) => done);
  return {
    id,
    object: shape.object,
    created,
    model,
    system_fingerprint,
    choices: collected.map(({ blocks, done }, index) => {
      const prefix = job.prefixes[index]!; // One for each choice.
      const { logprobs, ...others } = new ChoiceFacts(job.model.tokenizer, { ...shape, prefix })
        .next(joinFacts(blocks));
      return {
        index,
        ...shape.whole(prefix + blocks.map(({ text }) => text).join("")),
        logprobs,
        finish_reason: done.finish_reason,
        ...others,
      };
    }),
    usage: usageOf(job, ends),
    diffusion: diffusionOf(job.sequences[0]!, ends), // A request has a choice at least.
  };
}

/** What all choices took, whose ends are in their order. */
function usageOf({ promptTokens, sequences }: OpenAiJob, ends: readonly Collected["done"][]) {
  const completionTokens = ends.reduce((sum, { usage }) => sum + usage.completion_tokens, 0);
  // A prompt counts once: as its first choice found it.
  const cachedTokens = ends.reduce((sum, { usage }, i) => {
    const { cached_tokens: cached = 0 } = usage.prompt_tokens_details ?? {};
    return sum + (sequences[i]?.choice === 0 ? cached : 0);
  }, 0);
  return usageData({ promptTokens, completionTokens, cachedTokens });
}

/** A stream of chunks. A reader that leaves ends all choices. */
function streamed(
  runs: readonly Run[],
  { job, shape, head, parts, requestId }: Answering & {
    readonly parts: ServerParts;
    readonly requestId: string;
  },
): Response {
  const queue = new EventQueue<ServerEvent>(
    () => runs.forEach((run) => run.cancel()),
    (drafts) => parts.metrics.stepsDropped(drafts),
  );
  const send = (data: unknown, isDraft = false) =>
    queue.push({ event: null, id: null, data, isDraft });
  const writer = new ChunkWriter(shape, { ...job, head });
  follow(runs, {
    onEvent: (event, choice) =>
      writer.chunksOf(event, choice).forEach(({ data, isDraft }) => send(data, isDraft)),
    onEnd: (failure) => {
      if (failure) {
        // Without [DONE], so that a broken answer cannot pass for a whole one.
        send(reportFailure(failure.error, parts.log, requestId).body());
      } else {
        if (job.includeUsage) send(writer.usageChunk(usageOf(job, writer.ends)));
        send(DONE);
      }
      queue.end();
    },
  }, parts.settings);
  return eventStream(queue, parts.stream);
}
