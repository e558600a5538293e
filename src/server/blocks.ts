import type { Context } from "hono";
import type { ModelInfo } from "../engine/request.ts";
import { readBytes, readJson } from "./body.ts";
import type { AppEnv } from "./context.ts";
import { jsonResponse, RequestError } from "./errors.ts";
import { EventQueue } from "./event_queue.ts";
import {
  type BlockData,
  type BlocksEvent,
  blocksEvents,
  type BlocksRun,
  eventId,
} from "./events.ts";
import { reportFailure } from "./failures.ts";
import { checkStatus } from "./loaded_models.ts";
import type { ServerParts } from "./parts.ts";
import { planGeneration } from "./plan.ts";
import { parseQuery } from "./query.ts";
import { randomName } from "./request_id.ts";
import { BlocksFields, type BlocksRequest, parseGeneration } from "./schema.ts";
import { eventStream } from "./sse.ts";

/** What nginx logs, too, when the client left before its answer. Nobody reads the response. */
const CLIENT_LEFT = 499;

/** POST: samples from the model and streams each block as soon as it is final. */
export function postBlocks(parts: ServerParts): (c: Context<AppEnv>) => Promise<Response> {
  return async (c) => {
    const lastEventId = c.req.header("last-event-id");
    if (lastEventId !== undefined) {
      await readBytes(c.req.raw, parts.settings);
      throw goneGeneration(lastEventId);
    }
    return await generate(c, parts, await readJson(c.req.raw, parts.settings));
  };
}

/** GET: the same with the fields in the query, for a browser's `EventSource`. */
export function getBlocks(parts: ServerParts): (c: Context<AppEnv>) => Promise<Response> {
  return async (c) => {
    const lastEventId = c.req.header("last-event-id");
    if (lastEventId !== undefined) throw goneGeneration(lastEventId);
    const { last_event_id: fromQuery, ...fields } = parseQuery(
      /\?(.*)$/s.exec(c.req.url)?.[1] ?? "",
    );
    if (fromQuery !== undefined) throw goneGeneration(String(fromQuery));
    return await generate(c, parts, fields);
  };
}

async function generate(
  c: Context<AppEnv>,
  parts: ServerParts,
  fields: Record<string, unknown>,
): Promise<Response> {
  const request = parseGeneration(BlocksFields, fields);
  const run = await submit(request, parts);
  const requestId = c.get("requestId");
  const queue = follow(run, parts.settings.requestTimeoutMs);
  if (!request.stream) return await answer(queue, c.req.raw.signal);
  return eventStream(queue, {
    ...parts.settings,
    toErrorEvent: (error, sent) => ({
      event: "error",
      id: eventId(run.id, sent),
      data: reportFailure(error, parts.log, requestId).body(),
    }),
  });
}

async function submit(request: BlocksRequest, parts: ServerParts): Promise<BlocksRun> {
  const { nowMs, randomBytes } = parts;
  const model = await parts.models.find(request.model);
  const sequence = planGeneration(request, model, {
    maxOutputTokens: parts.settings.maxOutputTokens,
    trace: request.trace && request.stream,
    randomBytes,
  });
  const fingerprint = await systemFingerprint(model.engine.model, parts.version);
  checkStatus(model.engine.status);
  return {
    id: randomName("blk", randomBytes),
    model,
    request: sequence,
    submittedMs: nowMs(),
    generation: model.engine.submit(sequence),
    stop: request.stop,
    resumeMs: request.resume_ms,
    fingerprint,
    nowMs,
  };
}

/** Events of `run` as they come, whether somebody reads them or not. A reader that leaves ends it. */
function follow(run: BlocksRun, requestTimeoutMs: number): EventQueue<BlocksEvent> {
  const queue = new EventQueue<BlocksEvent>(() => run.generation.cancel());
  const timer = setTimeout(() => {
    const message = `The generation took longer than ${requestTimeoutMs} ms`;
    queue.end({ error: new RequestError("generation_timeout", message) });
    run.generation.cancel();
  }, requestTimeoutMs);
  fill(queue, run).finally(() => clearTimeout(timer));
  return queue;
}

async function fill(queue: EventQueue<BlocksEvent>, run: BlocksRun): Promise<void> {
  try {
    for await (const event of blocksEvents(run)) {
      if (queue.isEnded) return;
      queue.push(event);
    }
    queue.end();
  } catch (error) {
    queue.end({ error });
  }
}

/** The whole generation as one JSON object. */
async function answer(queue: EventQueue<BlocksEvent>, signal: AbortSignal): Promise<Response> {
  // The signal also fires after a response was sent; the queue has ended by then.
  signal.addEventListener("abort", () => queue.return(), { once: true });
  if (signal.aborted) queue.return();
  const blocks: BlockData[] = [];
  let start = {};
  for await (const { event, data } of queue) {
    if (event === "start") start = data;
    if (event === "block") blocks.push(data);
    if (event === "done") {
      const text = blocks.map((block) => block.text).join("");
      return jsonResponse({ ...start, ...data, object: "blocks", text, blocks });
    }
  }
  return new Response(null, { status: CLIENT_LEFT });
}

/** Names what a seed's tokens depend on beside the request: model, device and version. */
async function systemFingerprint({ id, adapter }: ModelInfo, version: string): Promise<string> {
  const named = new TextEncoder().encode(JSON.stringify([id, adapter, version]));
  return `bd-${new Uint8Array(await crypto.subtle.digest("SHA-256", named)).toHex().slice(0, 12)}`;
}

/** No generation outlives its reader, so none can be attached to again. */
function goneGeneration(lastEventId: string): RequestError {
  const isWellFormed = lastEventId.length <= 64 &&
    /^blk_[A-Za-z0-9_-]{22,}\.(0|[1-9]\d*)$/.test(lastEventId);
  if (isWellFormed) return new RequestError("generation_not_found", "The generation is gone");
  const message = "Last-Event-ID must be the id of an event of a generation";
  return new RequestError("invalid_last_event_id", message);
}
