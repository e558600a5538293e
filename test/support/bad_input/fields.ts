import { toJson } from "./draft.ts";

/** JSON texts of values of a field; a pair where `param` names a place inside of it. */
type Values = readonly (string | readonly [json: string, place: string])[];

/** What a field may be, and what it may not. */
export interface Field {
  readonly good: readonly string[];
  /** Of another type. */
  readonly wrong: Values;
  /** Of the right type, and not allowed. */
  readonly bad: Values;
  /** What is missing inside of it. */
  readonly missing?: Values;
  /** What OpenAI has, and this server does not. */
  readonly unsupported?: Values;
  /** What nobody has. */
  readonly unknown?: Values;
  /** Whether the limits are those of the model: they may be looked at later. */
  readonly isOfModel?: boolean;
}

const NOT_NUMBER = ['"1"', '""', '"NaN"', '"1e999"', "true", "[]", "[1]", "{}", '{"valueOf":1}'];
const NOT_STRING = ["1", "-0", "true", "[]", "{}", '["a"]', '{"toString":"a"}'];
const NOT_BOOLEAN = ['"true"', '"false"', '""', "0", "1", "-0", "[]", "[true]", "{}"];
/** Numbers beyond every limit; some of them beyond what a double holds. */
const HUGE = [
  ...["1e999", "-1e999", "1e308", "-1e308", "1.7976931348623159e308", "9007199254740993"],
  ...["-9007199254740993", "123456789012345678901234567890", `1${"0".repeat(400)}`],
];
const NOT_INTEGER = ["0.5", "1.5", "-0.5", "1e-9", "5e-324", "1.0000000000000002"];

function integer(from: number, to: number, more: Partial<Field> = {}): Field {
  return {
    good: [`${from}`, `${to}`, `${from}.0`, `${to}e0`, "null"],
    wrong: NOT_NUMBER,
    bad: [`${from - 1}`, `${BigInt(to) + 1n}`, "-1", ...NOT_INTEGER, ...HUGE],
    ...more,
  };
}

/** A number whose JSON texts on both sides of both limits are given. */
function number(good: readonly string[], bad: readonly string[]): Field {
  return { good: [...good, "null"], wrong: NOT_NUMBER, bad: [...bad, "-1", ...HUGE] };
}

function oneOf(...texts: readonly string[]): Field {
  const others = [
    "",
    "Error",
    " error",
    "error ",
    "first-hitting",
    "__proto__",
    "constructor",
    "x".repeat(3000),
  ];
  return { good: [...texts.map(toJson), "null"], wrong: NOT_STRING, bad: others.map(toJson) };
}

const boolean: Field = { good: ["true", "false", "null"], wrong: NOT_BOOLEAN, bad: [] };
const text: Field = { good: ['""', '"abc"', '"\\ud83d\\udca7"'], wrong: NOT_STRING, bad: [] };

function repeat(json: string, count: number): string {
  return `[${Array(count).fill(json).join(",")}]`;
}

/** A string of `count` characters that are two code units each. */
function drops(count: number): string {
  return `"${"\\ud83d\\udca7".repeat(count)}"`;
}

/** Section 4. */
export const SHARED: Readonly<Record<string, Field>> = {
  max_tokens: integer(1, 4096, { good: ["1", "2.0", "3e0", "8"], isOfModel: true }),
  overflow: oneOf("error", "slide"),
  ignore_eos: boolean,
  min_entropy: number(["0", "-0", "20", "1e-400", "2e1"], ["-0.001", "20.001", "-5e-324"]),
  temperature: number(["0", "2", "1.5", "0.2e1"], ["-0.001", "2.0000000000000005"]),
  top_p: number(["1", "5e-324", "0.5"], ["0", "-0", "0.0", "1e-400", "1.0000000000000002"]),
  top_k: integer(0, 259, { isOfModel: true }),
  seed: integer(0, Number.MAX_SAFE_INTEGER),
  stop: {
    good: ["[]", '"zz"', '["a","b","c","d"]', drops(256), "null"],
    wrong: [
      ...["1", "true", "false", "{}"],
      ...[["[1]", "[0]"], ['["a",null]', "[1]"], ['["a",["b"]]', "[1]"], [
        '["a",{}]',
        "[1]",
      ]] as const,
    ],
    bad: ['""', repeat('"a"', 5), repeat('"a"', 1000), drops(257), ['["a",""]', "[1]"], [
      `[${drops(257)}]`,
      "[0]",
    ]],
  },
  block_size: {
    good: ["1", "2", "4.0", "8", "16", "32", "null"],
    wrong: NOT_NUMBER,
    bad: ["0", "-1", "3", "33", "64", "1024", ...NOT_INTEGER, ...HUGE],
    isOfModel: true,
  },
  // Of blocks of any of the sizes above.
  sub_block_size: {
    good: ["1", "1.0", "null"],
    wrong: NOT_NUMBER,
    bad: ["0", "-1", "3", "64", ...NOT_INTEGER, ...HUGE],
    isOfModel: true,
  },
  strategy: { ...oneOf(), good: [] },
  step_map: boolean,
  confidence: boolean,
  entropy: boolean,
};

/** Section 4.1: what may be given with which strategy. */
export const OPTIONS: Readonly<Record<string, Readonly<Record<string, Field>>>> = {
  first_hitting: {},
  ancestral: { steps: integer(1, 1024) },
  sequential: { steps: integer(1, 1024) },
  random: { steps: integer(1, 1024) },
  low_confidence_static: { steps: integer(1, 1024) },
  low_confidence_dynamic: {
    steps: integer(1, 1024),
    threshold: number(["1", "5e-324"], ["0", "-0", "1.0000000000000002"]),
  },
  entropy_bounded: {
    steps: integer(1, 1024),
    entropy_bound: number(["100", "0.35"], ["0", "1e-400", "100.00000000000001"]),
  },
};

/** Section 5: what both of OpenAI's endpoints have. */
export const OPENAI: Readonly<Record<string, Field>> = {
  ...SHARED,
  n: integer(1, 8, { good: ["1", "2", "null"] }),
  stream: boolean,
  user: text,
  metadata: {
    good: ["{}", '{"a":"b"}', '{"constructor":"x"}', '{"__proto__":"x"}', "null"],
    wrong: [
      ...["1", '"a"', "true", "[]", '["a"]'],
      ...[['{"a":1}', ".a"], ['{"a":"b","c":{}}', ".c"]] as const,
    ],
    bad: [],
  },
  store: boolean,
};

/** Section 5.2, without the messages. The template of the test model has no switches. */
export const CHAT: Readonly<Record<string, Field>> = {
  chat_template_kwargs: {
    good: ["{}", "null"],
    wrong: [
      ...["1", '"a"', "true", "[]", '["a"]'],
      ...[['{"a":1}', ".a"], ['{"a":true,"c":"true"}', ".c"], ['{"a":{}}', ".a"]] as const,
    ],
    bad: [],
  },
  // What is true needs a stream.
  diffusing: { ...boolean, good: ["false", "null"] },
};

/** Section 4.5: how tokens may be rated where `logprobs` is a switch. */
export const LOGPROBS: Readonly<Record<string, Field>> = {
  logprobs: boolean,
  top_logprobs: integer(0, 5),
};

/** Section 5.1. */
export const COMPLETION_LOGPROBS: Field = {
  good: ["0", "5", "3.0", "false", "null"],
  wrong: NOT_NUMBER.filter((json) => json !== "true"),
  bad: ["-1", "6", "true", ...NOT_INTEGER, ...HUGE],
};

/** Section 5.1. */
export const COMPLETION_PROMPT: Field = {
  good: ['""', '"abc"', '["a"]', '["a","b"]', "[1,2]", "[257]", "[[1],[2,3]]"],
  wrong: [
    ...["1", "true", "{}"],
    ...[['["a",1]', "[1]"], ['["a",["b"]]', "[1]"], ['[1,"a"]', "[1]"], [
      "[1,true]",
      "[1]",
    ]] as const,
    ...[['[[1],"a"]', "[1]"], ["[[1],2]", "[1]"], ['[[1],["a"]]', "[1][0]"], [
      "[[[1]]]",
      "[0][0]",
    ]] as const,
  ],
  bad: [
    ...["[]", repeat('"a"', 17), repeat("[1]", 17)],
    ...[["[[]]", "[0]"], ["[[1],[]]", "[1]"], ["[0.5]", "[0]"], ["[1,1e999]", "[1]"]] as const,
    ...[["[[1],[0.5]]", "[1][0]"], ["[[1,2,-1e999]]", "[0][2]"]] as const,
  ],
};

/** Section 6.1. */
export const BLOCKS: Readonly<Record<string, Field>> = {
  ...SHARED,
  ...LOGPROBS,
  prompt: {
    good: ['""', '"abc"', '"\\ud83d\\udca7"', "[]", "[1,2]", "[257,256]", "null"],
    wrong: [
      ...["1", "true", "{}"],
      ...[['["a"]', "[0]"], ['[1,"2"]', "[1]"], ["[1,null]", "[1]"], ["[1,[2]]", "[1]"]] as const,
    ],
    bad: [["[0.5]", "[0]"], ["[1,1e999]", "[1]"], ["[1,2,1.5]", "[2]"]],
  },
  stream: boolean,
  trace: boolean,
  resume_ms: integer(0, 60_000),
};

/** Section 8. */
export const TOKENIZE: Readonly<Record<string, Field>> = {
  text,
  add_special_tokens: boolean,
};

/** Section 8. */
export const DETOKENIZE: Readonly<Record<string, Field>> = {
  tokens: {
    good: ["[]", "[0,255]", "[257]"],
    wrong: ["1", '"a"', "true", "{}", ['["a"]', "[0]"], ["[1,true]", "[1]"], ["[1,[2]]", "[1]"]],
    bad: [["[0.5]", "[0]"], ["[1,1e999]", "[1]"]],
  },
};
