import type { Random } from "../random.ts";
import type { Draft } from "./draft.ts";
import {
  BLOCKS,
  CHAT,
  COMPLETION_LOGPROBS,
  COMPLETION_PROMPT,
  DETOKENIZE,
  type Field,
  LOGPROBS,
  OPENAI,
  OPTIONS,
  SHARED,
  TOKENIZE,
} from "./fields.ts";
import { MESSAGES } from "./messages.ts";

/** A path that takes a JSON body. */
export interface Endpoint {
  readonly path: string;
  readonly fields: Readonly<Record<string, Field>>;
  readonly required: readonly string[];
  /** Whether it takes the fields of section 4, and those of section 5.3 at neutral values. */
  readonly generates: boolean;
  /** Whether it takes `stream_options`. */
  readonly isOpenAi: boolean;
}

/** Every endpoint that takes a body, and what it takes beside `model` and `stream_options`. */
export const ENDPOINTS: readonly Endpoint[] = [
  { path: "/v1/blocks", fields: BLOCKS, required: [], generates: true, isOpenAi: false },
  {
    path: "/v1/completions",
    fields: {
      ...OPENAI,
      prompt: COMPLETION_PROMPT,
      logprobs: COMPLETION_LOGPROBS,
      echo: { good: ["true", "false"], wrong: ["1", '"true"', "[]"], bad: [] },
    },
    required: ["model", "prompt"],
    generates: true,
    isOpenAi: true,
  },
  {
    path: "/v1/chat/completions",
    fields: {
      ...OPENAI,
      ...CHAT,
      ...LOGPROBS,
      messages: MESSAGES,
      max_completion_tokens: SHARED.max_tokens!,
    },
    required: ["model", "messages"],
    generates: true,
    isOpenAi: true,
  },
  {
    path: "/tokenize",
    fields: TOKENIZE,
    required: ["text"],
    generates: false,
    isOpenAi: false,
  },
  {
    path: "/detokenize",
    fields: DETOKENIZE,
    required: ["tokens"],
    generates: false,
    isOpenAi: false,
  },
];

/** Neutral values of section 5.3. */
const NEUTRAL = [
  ...[["frequency_penalty", "-0"], ["presence_penalty", "0.0"], ["logit_bias", "{}"]],
  ...[["top_logprobs", "0"], ["best_of", "1"], ["suffix", '""']],
  ...[["response_format", '{ "type" : "text" }'], ["tools", "[]"], ["functions", "[]"]],
  ...[["tool_choice", '"auto"'], ["function_call", '"none"'], ["modalities", '["text"]']],
  ...[["parallel_tool_calls", "false"], ["service_tier", '"auto"'], ["audio", "null"]],
] as const;

/** Fields whose values hang together: those that are given are chosen together. */
const TOGETHER = [
  "logprobs",
  "top_logprobs",
  "strategy",
  "max_tokens",
  "max_completion_tokens",
  "stream",
];

/** A request that is right: a few of its fields, in any order. */
export function goodDraft(random: Random, endpoint: Endpoint): Draft {
  const { fields, required, generates } = endpoint;
  const names = Object.keys(fields).filter((name) =>
    !TOGETHER.includes(name) && (required.includes(name) || random.below(4) === 0)
  );
  const given = names.map((name): [string, string] => {
    const good = fields[name]!.good;
    const choices = required.includes(name) ? good.filter((json) => json !== "null") : good;
    return [name, random.pick(choices)];
  });
  const model: [string, string][] = required.includes("model") || random.below(3) === 0
    ? [["model", '"test-copy"']]
    : [];
  const more = generates ? togetherFields(random, endpoint) : [];
  return {
    method: "POST",
    target: endpoint.path,
    headers: [["Content-Type", "application/json"]],
    fields: repeatSome(random, random.shuffle([...given, ...model, ...more])),
    spoilText: (text) => text,
    spoilBytes: (bytes) => bytes,
  };
}

/** Gives some fields another value before their own: of a repeated name the last one counts. */
function repeatSome(random: Random, fields: [string, string][]): [string, string][] {
  const early = fields.filter(() => random.below(8) === 0)
    .map((
      [name],
    ): [string, string] => [name, random.pick(["null", "1", "-1", '"x"', "{}", "[1]"])]);
  return [...early, ...fields];
}

function togetherFields(random: Random, { isOpenAi, fields }: Endpoint): [string, string][] {
  const given: [string, string][] = [];
  const lengths = Object.keys(fields).filter((name) => name.startsWith("max_"));
  given.push([random.pick(lengths), random.pick(SHARED.max_tokens!.good)]);
  if (random.below(2) === 0) {
    const strategy = random.pick(Object.keys(OPTIONS));
    given.push(["strategy", `"${strategy}"`]);
    for (const [name, { good }] of Object.entries(OPTIONS[strategy]!)) {
      if (random.below(2) === 0) given.push([name, random.pick(good)]);
    }
  }
  if (random.below(3) === 0) {
    given.push(["stream", "true"]);
    const options = ["null", "{}", '{"include_usage":true}', '{"include_usage":null}'];
    if (isOpenAi) given.push(["stream_options", random.pick(options)]);
  }
  if ("top_logprobs" in fields && random.below(3) === 0) {
    given.push(["logprobs", "true"]);
    given.push(["top_logprobs", random.pick(["0", "5", "1.0", "null"])]);
  }
  for (let left = random.below(3); left > 0; left -= 1) {
    const [name, json] = random.pick(NEUTRAL);
    if (!(name in fields) && !given.some(([each]) => each === name)) given.push([name, json]);
  }
  return given;
}
