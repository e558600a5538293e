import type { ErrorCode } from "../errors.ts";
import { EXAMPLE_GENERATION, EXAMPLE_MODEL } from "./examples.ts";
import type { Json } from "./json_schema.ts";
import type { Answer, Operation, Parameter } from "./operation.ts";
import { OF_BODIES, OF_GENERATIONS } from "./refusals.ts";
import { BlocksQuery } from "./requests.ts";

const prompt = "Once upon a time";
const FIRST_BLOCK = `${EXAMPLE_GENERATION}.1`;

/** `G.k`, where k counts the events of the generation G that have an id. */
const EVENT_ID: Json = { type: "string", pattern: "^blk_[A-Za-z0-9_-]{22,}\\.(0|[1-9]\\d*)$" };

const LAST_EVENT_ID: Parameter = {
  name: "Last-Event-ID",
  in: "header",
  description: "Id of the last event that was seen: the stream goes on after it, and nothing new " +
    "is generated; other fields are not looked at.",
  schema: EVENT_ID,
};

const LAST_EVENT_ID_IN_QUERY: Parameter = {
  name: "last_event_id",
  in: "query",
  description: "`Last-Event-ID` for clients that cannot set headers.",
  schema: EVENT_ID,
};

const GENERATION: Parameter = {
  name: "id",
  in: "path",
  required: true,
  description: "Id of a generation, which its `start` event has.",
  schema: { type: "string" },
};

const STREAM: NonNullable<Answer["events"]> = {
  start: ["BlocksStart"],
  step: ["BlocksStep"],
  block: ["Block"],
  done: ["BlocksDone"],
  error: ["Error"],
};

const GENERATED: Operation["answers"] = {
  200: {
    description: "The generation: `start`, then a `block` for every finished block, then `done`, " +
      "or `error` if it failed. With `trace` a `step` for every denoising step comes between. " +
      "With `stream: false` one object.",
    json: "BlocksAnswer",
    events: STREAM,
  },
  204: { description: "`Last-Event-ID` is the final event: nothing follows." },
};

const OF_RESUMING: readonly ErrorCode[] = ["invalid_last_event_id", "generation_not_found"];

/** The server's own streams, which a client can come back to. */
export const BLOCKS_OPERATIONS: readonly Operation[] = [
  {
    id: "createBlocks",
    method: "post",
    path: "/v1/blocks",
    tag: "Blocks",
    summary: "Generates text block by block, or goes on with a stream that was dropped.",
    parameters: [LAST_EVENT_ID],
    body: "BlocksRequest",
    answers: GENERATED,
    refusals: [...OF_BODIES, ...OF_GENERATIONS, ...OF_RESUMING, "token_out_of_range"],
    examples: {
      stream: { summary: "A stream", body: { prompt, max_tokens: 32 } },
      trace: {
        summary: "A stream of every denoising step",
        body: {
          model: EXAMPLE_MODEL,
          prompt,
          max_tokens: 16,
          strategy: "ancestral",
          steps: 8,
          temperature: 0.7,
          top_p: 0.9,
          seed: 7,
          trace: true,
        },
      },
      whole: {
        summary: "One object at the end",
        body: { prompt, max_tokens: 16, stop: ".", resume_ms: 0, stream: false },
      },
      told: {
        summary: "How each token came about",
        body: {
          prompt,
          max_tokens: 8,
          logprobs: true,
          top_logprobs: 2,
          step_map: true,
          confidence: true,
          entropy: true,
          trace: true,
        },
      },
      endless: {
        summary: "More than the context holds, until the text repeats itself",
        body: { prompt, overflow: "slide", max_tokens: 300, min_entropy: 2, ignore_eos: true },
      },
      resume: {
        summary: "The rest of a stream that was dropped after its first block",
        body: { prompt },
        parameters: { "Last-Event-ID": FIRST_BLOCK },
      },
    },
  },
  {
    id: "createBlocksByQuery",
    method: "get",
    path: "/v1/blocks",
    tag: "Blocks",
    summary: "The same with the fields in the query, for a browser's `EventSource`.",
    query: BlocksQuery,
    parameters: [LAST_EVENT_ID, LAST_EVENT_ID_IN_QUERY],
    answers: GENERATED,
    refusals: [...OF_GENERATIONS, ...OF_RESUMING, "invalid_utf8"],
    examples: {
      stream: {
        summary: "A stream",
        parameters: { prompt, max_tokens: 32, temperature: 0.7, stop: ["The end", "\n\n"] },
      },
      whole: {
        summary: "One object at the end",
        parameters: { prompt, max_tokens: 8, stream: false },
      },
      resume: {
        summary: "The rest of a stream that was dropped after its first block",
        parameters: { last_event_id: FIRST_BLOCK },
      },
    },
  },
  {
    id: "attachToBlocks",
    method: "get",
    path: "/v1/blocks/{id}",
    tag: "Blocks",
    summary: "Attaches to a generation again, after the last event seen or from the start.",
    description: "A generation has one reader: the one before loses it. `step` events are not " +
      "sent again.",
    parameters: [GENERATION, LAST_EVENT_ID, LAST_EVENT_ID_IN_QUERY],
    answers: {
      200: { description: "The events after that one, then those to come.", events: STREAM },
      204: { description: "That event is the final one: nothing follows." },
    },
    refusals: [...OF_RESUMING, "invalid_value", "invalid_utf8"],
    examples: {
      start: { summary: "From the start", parameters: { id: EXAMPLE_GENERATION } },
      rest: {
        summary: "What follows the first block",
        parameters: { id: EXAMPLE_GENERATION, "Last-Event-ID": FIRST_BLOCK },
      },
    },
  },
  {
    id: "cancelBlocks",
    method: "delete",
    path: "/v1/blocks/{id}",
    tag: "Blocks",
    summary: "Cancels a generation, or forgets one that is over.",
    parameters: [GENERATION],
    answers: { 204: { description: "It ends with `done`, or is forgotten." } },
    refusals: ["generation_not_found"],
    examples: {
      cancel: { summary: "A generation", parameters: { id: EXAMPLE_GENERATION } },
    },
  },
];
