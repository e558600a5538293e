import type { Random } from "../random.ts";
import type { BadInput } from "./draft.ts";

type Pairs = readonly (readonly [name: string, value: string])[];

const GOOD: Readonly<Record<string, readonly string[]>> = {
  model: ["test-copy", "test%2Dcopy"],
  prompt: ["", "abc", "a+b", "%F0%9F%92%A7", "%zz%", "%", "\u00e9", "12", "true", "[1]"],
  max_tokens: ["1", "8", "4.0"],
  overflow: ["error"],
  ignore_eos: ["true", "false"],
  min_entropy: ["0", "0.5", "-0"],
  temperature: ["0", "1.5", "2.0"],
  top_p: ["1", "0.25"],
  top_k: ["0", "259"],
  seed: ["0", "9007199254740991"],
  stop: ["zz", "%F0%9F%92%A7"],
  block_size: ["1", "32", "8.0"],
  trace: ["true", "false"],
  resume_ms: ["0", "60000"],
};

const NOT_DECIMAL = [
  "abc",
  "1e2",
  "0x10",
  "1,5",
  "%201",
  "1+",
  "--1",
  "NaN",
  "Infinity",
  "true",
  "[1]",
];
const NOT_BOOLEAN = ["1", "0", "yes", "True", "TRUE", "on", "%74rue+", "null"];
const HUGE = ["9".repeat(400), "9007199254740993", "-9007199254740993"];

/** Values of the right type, and not allowed. */
const BAD: Readonly<Record<string, readonly string[]>> = {
  max_tokens: ["0", "-1", "4097", "1.5", ...HUGE],
  overflow: ["", "Error", "slide+"],
  min_entropy: ["-0.1", "20.1", ...HUGE],
  temperature: ["-0.1", "2.1", ...HUGE],
  top_p: ["0", "1.1", ...HUGE],
  top_k: ["-1", "260", "0.5", ...HUGE],
  seed: ["-1", "9007199254740992", "0.5", ...HUGE],
  stop: ["", "x".repeat(257)],
  block_size: ["0", "3", "64", ...HUGE],
  strategy: ["", "First_hitting", "first%20hitting"],
  resume_ms: ["-1", "60001", ...HUGE],
  prompt: ["a".repeat(4097), "%F0%9F%92%A7".repeat(300) + "b".repeat(3797)],
};

const NOT_UTF8 = ["%ff", "%C3", "%C3x", "%ED%A0%80", "%C0%80", "a%F0%9F%92", "%f5%80%80%80"];

/** Requests to `GET /v1/blocks` with one thing wrong with them. */
export function queryInputs(random: Random): BadInput[] {
  return [...valueInputs(random), ...nameInputs(random), ...pairInputs(random)];
}

/** A request to `GET /v1/blocks` that is right. */
export function goodQuery(random: Random): string {
  return `/v1/blocks?${join(random, goodPairs(random, []), [["max_tokens", "2"]])}`;
}

function input(
  random: Random,
  pairs: Pairs,
  refusal: { readonly code: string; readonly param?: string | null },
): BadInput {
  const names = pairs.map(([name]) => name);
  const target = `/v1/blocks?${join(random, goodPairs(random, names), pairs)}`;
  return { name: `GET ${target.slice(0, 300)}`, request: { method: "GET", target }, ...refusal };
}

/** A few fields beside those that are taken. */
function goodPairs(random: Random, taken: readonly string[]): Pairs {
  return Object.entries(GOOD).filter(([name]) => !taken.includes(name) && name !== "max_tokens")
    .filter(() => random.below(4) === 0)
    .map(([name, values]) => [name, random.pick(values)] as const);
}

/** The others anywhere; those given stay in their order. */
function join(random: Random, others: Pairs, given: Pairs): string {
  const end = random.below(others.length + 1);
  const all = [...others.slice(0, end), ...given, ...others.slice(end)];
  return all.map(([name, value]) => `${name}=${value}`).join(random.pick(["&", "&&"]));
}

function valueInputs(random: Random): BadInput[] {
  const bad = Object.entries(BAD).flatMap(([name, values]) =>
    values.map((value) => input(random, [[name, value]], { code: "invalid_value", param: name }))
  );
  const booleans = [
    "ignore_eos",
    "stream",
    "trace",
    "logprobs",
    "step_map",
    "confidence",
    "entropy",
  ];
  const texts = ["model", "overflow", "prompt", "stop", "strategy"];
  const numbers = Object.keys(GOOD).filter((name) => ![...booleans, ...texts].includes(name));
  const wrong = [
    ...numbers.flatMap((name) => NOT_DECIMAL.map((value) => [name, value] as const)),
    ...booleans.flatMap((name) => NOT_BOOLEAN.map((value) => [name, value] as const)),
  ].map((pair) => input(random, [pair], { code: "invalid_type", param: pair[0] }));
  const undecodable = ["prompt", "stop", "model", "seed"].flatMap((name) =>
    NOT_UTF8.map((value) => input(random, [[name, value]], { code: "invalid_utf8" }))
  );
  const models = ["", "x", "test-copy+", "TEST-COPY", "%00", "..%2F.."].map((value) =>
    input(random, [["model", value]], { code: "model_not_found", param: "model" })
  );
  return [...bad, ...wrong, ...undecodable, ...models];
}

function nameInputs(random: Random): BadInput[] {
  const unknown = [
    "promt",
    "Prompt",
    "prompt%20",
    "prompt[]",
    "n",
    "echo",
    "messages",
    "__proto__",
  ];
  const more = ["constructor", "toString", "", "a.b", "%00", "%F0%9F%92%A7", "x".repeat(200)];
  const unsupported = [["best_of", "2"], ["suffix", "x"], ["frequency_penalty", "0.5"]];
  return [
    ...[...unknown, ...more].map((name) =>
      input(random, [[name, "1"]], {
        code: "unknown_parameter",
        param: decodeURIComponent(name).slice(0, 100),
      })
    ),
    ...unsupported.map(([name = "", value = ""]) =>
      input(random, [[name, value]], { code: "unsupported_parameter", param: name })
    ),
    ...NOT_UTF8.map((name) => input(random, [[name, "1"]], { code: "invalid_utf8" })),
    // The same names in other spelling.
    input(random, [["%6dax_tokens", "0"]], { code: "invalid_value", param: "max_tokens" }),
    input(random, [["max%5Ftokens", "0"]], { code: "invalid_value", param: "max_tokens" }),
  ];
}

function pairInputs(random: Random): BadInput[] {
  const repeated = Object.entries(GOOD).filter(([name]) => name !== "stop").map(([name, values]) =>
    input(random, [[name, random.pick(values)], [name, random.pick(values)]], {
      code: "invalid_value",
      param: name,
    })
  );
  const stops = Array(5).fill(["stop", "a"] as const);
  const long = [["prompt", "a".repeat(4090)], ["max_tokens", "7"]] as const;
  return [
    ...repeated,
    input(random, [["%73eed", "1"], ["seed", "1"]], { code: "invalid_value", param: "seed" }),
    input(random, stops, { code: "invalid_value", param: "stop" }),
    input(random, [["stop", "a"], ["stop", ""]], { code: "invalid_value", param: "stop[1]" }),
    ...[["steps", "4"], ["threshold", "0.5"], ["entropy_bound", "1"]].map((
      [name = "", value = ""],
    ) =>
      input(random, [["strategy", "first_hitting"], [name, value]], {
        code: "incompatible_parameters",
        param: name,
      })
    ),
    input(random, long, { code: "context_length_exceeded" }),
  ];
}
