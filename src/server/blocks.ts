import type { Context } from "hono";
import { admit } from "./admit.ts";
import { readBytes, readJson } from "./body.ts";
import { collect } from "./collect.ts";
import type { AppEnv } from "./context.ts";
import { CLIENT_LEFT, jsonResponse, RequestError } from "./errors.ts";
import { reportFailure } from "./failures.ts";
import { follow } from "./follow.ts";
import { type Generations, invalidEventId, parseEventId } from "./generations.ts";
import type { ServerParts } from "./parts.ts";
import { planGeneration } from "./plan.ts";
import { parseQuery, queryOf } from "./query.ts";
import { randomName } from "./request_id.ts";
import type { Run } from "./run.ts";
import { BlocksFields, type BlocksRequest, parseGeneration } from "./schema.ts";
import { eventStream } from "./sse.ts";
import { alternativesOf, askedFacts } from "./token_facts.ts";

/** What the routes under `/v1/blocks` share. */
export interface BlocksParts extends ServerParts {
  readonly generations: Generations;
}

type Handler = (c: Context<AppEnv>) => Promise<Response>;

/** What a client that comes back says: which generation, or which event it saw last. */
interface Reattachment {
  readonly id?: string;
  readonly lastEventId?: string;
}

/** POST: samples from the model and streams each block as soon as it is final. */
export function postBlocks(parts: BlocksParts): Handler {
  return async (c) => {
    const lastEventId = c.req.header("last-event-id");
    if (lastEventId === undefined) {
      return await generate(c, parts, await readJson(c.req.raw, parts.settings));
    }
    await readBytes(c.req.raw, parts.settings);
    return resume(c, parts, { lastEventId });
  };
}

/** GET: the same with the fields in the query, for a browser's `EventSource`. */
export function getBlocks(parts: BlocksParts): Handler {
  return async (c) => {
    const { last_event_id: fromQuery, ...fields } = parseQuery(queryOf(c.req.url));
    const lastEventId = c.req.header("last-event-id") ?? fromQuery;
    if (lastEventId === undefined) return await generate(c, parts, fields);
    return resume(c, parts, { lastEventId: String(lastEventId) });
  };
}

/** GET: attaches to a generation again, after the last event seen or from the start. */
export function attachToBlocks(parts: BlocksParts): (c: Context<AppEnv>) => Response {
  return (c) => {
    const fromQuery = parseQuery(queryOf(c.req.url)).last_event_id;
    const lastEventId = c.req.header("last-event-id") ?? fromQuery;
    const id = c.req.param("id") ?? "";
    return resume(
      c,
      parts,
      lastEventId === undefined ? { id } : {
        id,
        lastEventId: String(lastEventId),
      },
    );
  };
}

/** DELETE: cancels a generation, or forgets one that is over. */
export function deleteBlocks({ generations }: BlocksParts): (c: Context<AppEnv>) => Response {
  return (c) => {
    const log = generations.find(c.req.param("id") ?? "", c.get("owner"));
    if (log.isOver) generations.forget(log.id);
    else log.cancel();
    return new Response(null, { status: 204 });
  };
}

async function generate(
  c: Context<AppEnv>,
  parts: BlocksParts,
  fields: Record<string, unknown>,
): Promise<Response> {
  const request = parseGeneration(BlocksFields, fields);
  const run = await start(request, parts);
  if (!request.stream) {
    return await answer(run, { ...parts.settings, signal: c.req.raw.signal });
  }
  const options = { owner: c.get("owner"), resumeMs: request.resume_ms };
  const log = parts.generations.add(run, options);
  const reader = log.attach(-1);
  const requestId = c.get("requestId");
  follow([run], {
    onEvent: (event) => log.push(event),
    onEnd: (failure) => {
      if (failure) log.fail(reportFailure(failure.error, parts.log, requestId).body());
    },
  }, parts.settings);
  return eventStream(reader, parts.stream);
}

async function start(request: BlocksRequest, parts: ServerParts): Promise<Run> {
  const { randomBytes, settings: { maxOutputTokens } } = parts;
  const asked = askedFacts(request, alternativesOf(request));
  const model = await parts.models.find(request.model);
  const trace = request.trace && request.stream;
  const sequence = planGeneration(request, model, { maxOutputTokens, trace, asked, randomBytes });
  const [run] = await admit(parts, {
    id: randomName("blk_", randomBytes),
    model,
    sequences: [sequence],
    stop: request.stop,
    resumeMs: request.resume_ms,
    asked,
  });
  return run!; // As many runs as sequences.
}

/**
 * Lets a reader have what it missed, and the rest.
 *
 * @throws {RequestError} If there is no such generation or event.
 */
function resume(c: Context<AppEnv>, parts: BlocksParts, from: Reattachment): Response {
  try {
    const response = reattach(c, parts, from);
    parts.metrics.resumed("ok");
    return response;
  } catch (error) {
    const isGone = error instanceof RequestError && error.code === "generation_not_found";
    parts.metrics.resumed(isGone ? "gone" : "invalid");
    throw error;
  }
}

function reattach(
  c: Context<AppEnv>,
  { generations, stream }: BlocksParts,
  from: Reattachment,
): Response {
  const seen = from.lastEventId === undefined ? null : parseEventId(from.lastEventId);
  const id = from.id ?? seen?.generation ?? "";
  if (seen !== null && seen.generation !== id) throw invalidEventId("is of another generation");
  const log = generations.find(id, c.get("owner"));
  const after = seen?.number ?? -1;
  if (after > log.last) throw invalidEventId("is ahead of the stream");
  if (log.isOver && after === log.last) return new Response(null, { status: 204 });
  return eventStream(log.attach(after), stream);
}

/** The whole generation as one JSON object. A client that leaves ends it. */
async function answer(
  run: Run,
  { requestTimeoutMs, signal }: { readonly requestTimeoutMs: number; readonly signal: AbortSignal },
): Promise<Response> {
  const [collected] = await collect([run], { requestTimeoutMs, signal }) ?? [];
  if (!collected) return new Response(null, { status: CLIENT_LEFT });
  const { start, blocks, done } = collected;
  const text = blocks.map((block) => block.text).join("");
  return jsonResponse({ ...start, ...done, object: "blocks", text, blocks });
}
