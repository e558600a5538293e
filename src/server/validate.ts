import { z } from "zod";
import { cut, RequestError, show } from "./errors.ts";

/** The part of JSON Schema that says what a field may be. */
interface JsonSchema {
  /** Several where the value may be null too. */
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly JsonSchema[];
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
}

/** Where and how a value misses its schema. */
type Issue = z.core.$ZodIssue;

/**
 * Checks `value` against `schema`. The words of the refusal are made from the schema itself, so
 * that the limit a message names is the limit that was checked.
 *
 * @throws {RequestError} `invalid_type` or `invalid_value` of the first field that misses.
 */
export function validate<S extends z.ZodType>(
  schema: S,
  value: Readonly<Record<string, unknown>>,
): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { issue, param, found, node } = locate(result.error.issues[0]!, {
    param: "",
    found: value,
    node: jsonSchema(schema),
  });
  if (issue.code === "unrecognized_keys") throw unknownField(joinPath(param, issue.keys[0]!));
  const isField = typeof issue.path.at(-1) === "string";
  if (isField && (found === undefined || found === null)) {
    const message = `${param} is required, and must be ${describe(node)}`;
    throw new RequestError("missing_required_parameter", message, { param });
  }
  const code = accepts(node, found) ? "invalid_value" : "invalid_type";
  throw new RequestError(code, `${param} must be ${describe(node)}, got ${show(found)}`, { param });
}

function unknownField(name: string): RequestError {
  const param = cut(name);
  return new RequestError("unknown_parameter", `Unknown parameter ${show(param)}`, { param });
}

/** A place in a value, with the schema of that place. */
interface Place {
  /** Its path, as errors write it. */
  readonly param: string;
  readonly found: unknown;
  readonly node: JsonSchema;
}

/** Follows an issue to its place, through the branch of each union that the value was meant for. */
function locate(issue: Issue, from: Place): Place & { readonly issue: Issue } {
  let { param, found, node } = from;
  for (const key of issue.path) {
    found = (found as Record<PropertyKey, unknown> | undefined)?.[key];
    node = child(node, key);
    param = joinPath(param, key);
  }
  const here = { param, found, node, issue };
  if (issue.code !== "invalid_union") return here;
  const branches = issue.errors.map(([first], index) => ({ first, index }));
  const [best] = branches.toSorted((a, b) => progress(b.first) - progress(a.first));
  if (best?.first === undefined || progress(best.first) === 0) return here;
  return locate(best.first, { param, found, node: node.anyOf?.[best.index] ?? {} });
}

/** How far a value got in a branch of a union: 0 where it has another type altogether. */
function progress(issue: Issue | undefined): number {
  if (issue === undefined) return 0;
  const last = issue.path.at(-1);
  const depth = issue.path.length + (typeof last === "number" ? 1 - 1 / (last + 2) : 0);
  switch (issue.code) {
    case "invalid_type":
      // "int" is no type of JSON: a fraction has the type and not the value.
      return depth + (issue.expected === "int" ? 1000 : 0);
    case "invalid_union":
      return depth + Math.max(...issue.errors.map(([first]) => progress(first)));
    default:
      // Where the type is right and the value is not, this is the branch.
      return depth + 1000;
  }
}

function joinPath(path: string, key: PropertyKey): string {
  if (typeof key === "number") return `${path}[${key}]`;
  return path === "" ? String(key) : `${path}.${String(key)}`;
}

function jsonSchema(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as JsonSchema;
}

function child(node: JsonSchema, key: PropertyKey): JsonSchema {
  if (typeof key === "number") return node.items ?? {};
  return node.properties?.[String(key)] ?? node.additionalProperties ?? {};
}

/** Whether `value` has a JSON type that the schema has. */
function accepts(node: JsonSchema, value: unknown): boolean {
  if (node.anyOf !== undefined) return node.anyOf.some((option) => accepts(option, value));
  const kind = Array.isArray(value) ? "array" : value === null ? "null" : typeof value;
  return node.type === undefined ||
    [node.type].flat().some((type) => (type === "integer" ? "number" : type) === kind);
}

/**
 * What a schema takes, in words that complete "must be". `null` is as good as nothing, which is no
 * news.
 */
export function describe(node: JsonSchema): string {
  if (node.anyOf !== undefined) {
    return node.anyOf.filter(({ type }) => type !== "null").map(describe).join(" or ");
  }
  if (node.enum !== undefined) return `one of ${node.enum.map(show).join(", ")}`;
  if (node.const !== undefined) return show(node.const);
  switch ([node.type].flat().find((type) => type !== "null")) {
    case "integer":
      return `an integer${range(node)}`;
    case "number":
      return `a number${range(node)}`;
    case "boolean":
      return "true or false";
    case "string":
      return `a string${count(node.minLength, node.maxLength, "characters")}`;
    case "array":
      return `an array${count(node.minItems, node.maxItems, "entries")}, each entry ${
        describe(node.items ?? {})
      }`;
    case "object":
      return "an object";
    default:
      return "something else";
  }
}

function range({ minimum, maximum, exclusiveMinimum }: JsonSchema): string {
  // zod bounds every integer by what a double holds exactly; that is no limit of the field.
  if (minimum === Number.MIN_SAFE_INTEGER) return "";
  const upTo = maximum === undefined ? "" : ` to ${maximum}`;
  if (exclusiveMinimum !== undefined) {
    return ` above ${exclusiveMinimum}${maximum === undefined ? "" : ` and at most ${maximum}`}`;
  }
  return minimum === undefined ? "" : ` from ${minimum}${upTo}`;
}

function count(least = 0, most: number | undefined, unit: string): string {
  return most === undefined ? "" : ` of ${least} to ${most} ${unit}`;
}
