import type { Endpoint } from "./endpoints.ts";
import { type Fault, toJson, valueFault } from "./draft.ts";
import type { Field } from "./fields.ts";

/** No option of any strategy. */
export const NO_OPTIONS = { steps: null, threshold: null, entropy_bound: null };
/** Limits of the model may be looked at with those of the fields, or after them. */
export const OF_MODEL = ["fields", "ranges"] as const;

/** Everything that can be wrong with the values of an endpoint's own fields. */
export function fieldFaults(endpoint: Endpoint): Fault[] {
  const own = Object.entries(endpoint.fields).flatMap(([name, field]) =>
    faultsOf(name, field, aside(endpoint, name))
  );
  const required = endpoint.required.flatMap((name) =>
    ["null", null].map((json) =>
      valueFault({ [name]: json }, { code: "missing_required_parameter", param: name })
    )
  );
  return [...own, ...required, ...modelFaults(), ...unknownFaults(endpoint), ...deepFaults()];
}

/** What else must not be given, so that nothing is wrong but the value of `name`. */
export function aside(
  { fields }: Pick<Endpoint, "fields">,
  name: string,
): Readonly<Record<string, null>> {
  if (name === "strategy") return NO_OPTIONS;
  if (!name.startsWith("max_")) return {};
  const other = name === "max_tokens" ? "max_completion_tokens" : "max_tokens";
  // Sliding allows longer answers.
  return { overflow: null, ...(other in fields && { [other]: null }) };
}

/** Everything that can be wrong with the value of one field, with `others` given beside it. */
export function faultsOf(
  name: string,
  field: Field,
  others: Readonly<Record<string, string | null>>,
): Fault[] {
  const all = [
    ["invalid_type", field.wrong],
    ["invalid_value", field.bad],
    ["missing_required_parameter", field.missing ?? []],
    ["unsupported_parameter", field.unsupported ?? []],
    ["unknown_parameter", field.unknown ?? []],
  ] as const;
  return all.flatMap(([code, values]) =>
    values.map((value) => {
      const [json, place] = typeof value === "string" ? [value, ""] : value;
      const isLate = field.isOfModel === true && code === "invalid_value";
      const stages = isLate ? OF_MODEL : ["fields", "fields"] as const;
      return valueFault({ ...others, [name]: json }, { code, stages, param: name + place });
    })
  );
}

function modelFaults(): Fault[] {
  const names = ["", "TEST-COPY", "test-copy ", "test-copy\0", "../test-copy", "__proto__", "💧"];
  return [
    ...[...names, "x".repeat(5000)].map((name) =>
      valueFault({ model: toJson(name) }, {
        stages: ["model", "model"],
        code: "model_not_found",
        param: "model",
      })
    ),
    ...["1", "true", "[]", "{}", '["test-copy"]'].map((json) =>
      valueFault({ model: json }, { code: "invalid_type", param: "model" })
    ),
  ];
}

/** Names that no endpoint has. */
const UNKNOWN = [
  ...["promt", "Prompt", "PROMPT", " prompt", "prompt ", "max-tokens", "maxTokens", "", " ", "."],
  ...["a.b", "a[0]", "messages[0].content", "__proto__", "constructor", "toString", "valueOf"],
  ...[
    "hasOwnProperty",
    "then",
    "toJSON",
    "length",
    "0",
    "-1",
    "null",
    "💧",
    "\0",
    "\u2028",
    "input",
  ],
];

function unknownFaults({ fields }: Endpoint): Fault[] {
  const foreign = ["n", "echo", "trace", "resume_ms", "messages", "prompt", "text", "tokens"]
    .filter((name) => !(name in fields));
  return [...UNKNOWN, ...foreign, "x".repeat(300)].map((name, i) =>
    valueFault({ [name]: ["1", "null", "{}", '"a"', "[[]]"][i % 5]! }, {
      name: `unknown ${toJson(name.slice(0, 50))}`,
      code: "unknown_parameter",
      // Given values, names among them, are cut to 100 characters.
      param: name.slice(0, 100),
    })
  );
}

/** Nesting as deep as is allowed: nothing is wrong with it but the name. */
function deepFaults(): Fault[] {
  return [["[", "]"], ['{"a":', "}"]].map(([open, close]) =>
    valueFault({ deep: `${open!.repeat(62)}1${close!.repeat(62)}` }, {
      name: "unknown and deep",
      code: "unknown_parameter",
      param: "deep",
    })
  );
}
