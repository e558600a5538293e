import { z } from "zod";
import { RequestError, show } from "./errors.ts";

/** The part of JSON Schema that says what a field may be. */
interface JsonSchema {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly JsonSchema[];
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
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
  const issue = deepest(result.error.issues[0]!);
  const { param, found, node } = locate(schema, { value, path: issue.path });
  const code = accepts(node, found) ? "invalid_value" : "invalid_type";
  throw new RequestError(code, `${param} must be ${describe(node)}, got ${show(found)}`, { param });
}

/** The issue of a union's branch that `value` was meant for: the one that got furthest. */
function deepest(issue: Issue): Issue {
  if (issue.code !== "invalid_union") return issue;
  const branches = issue.errors.flatMap((branch) => branch.slice(0, 1)).map(deepest);
  const furthest = branches.toSorted((a, b) => b.path.length - a.path.length)[0];
  if (furthest === undefined) return issue;
  return { ...furthest, path: [...issue.path, ...furthest.path] };
}

/** Follows `path` through the value and its schema together, as far as both go. */
function locate(
  schema: z.ZodType,
  { value, path }: { value: unknown; path: readonly PropertyKey[] },
): { param: string; found: unknown; node: JsonSchema } {
  let node = jsonSchema(schema);
  let found = value;
  let param = "";
  for (const key of path) {
    if (typeof found !== "object" || found === null) break;
    found = (found as Record<PropertyKey, unknown>)[key];
    node = child(node, key);
    param += typeof key === "number" ? `[${key}]` : param === "" ? String(key) : `.${String(key)}`;
  }
  return { param, found, node };
}

function jsonSchema(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as JsonSchema;
}

function child(node: JsonSchema, key: PropertyKey): JsonSchema {
  const options = node.anyOf ?? [node];
  const found = options
    .map((option) => typeof key === "number" ? option.items : option.properties?.[String(key)])
    .find((each) => each !== undefined);
  return found ?? {};
}

/** Whether `value` has a JSON type that the schema has. */
function accepts(node: JsonSchema, value: unknown): boolean {
  if (node.anyOf !== undefined) return node.anyOf.some((option) => accepts(option, value));
  const kind = Array.isArray(value) ? "array" : value === null ? "null" : typeof value;
  return node.type === undefined || (node.type === "integer" ? "number" : node.type) === kind;
}

/** What a schema takes, in words that complete "must be". */
export function describe(node: JsonSchema): string {
  if (node.anyOf !== undefined) return node.anyOf.map(describe).join(" or ");
  if (node.enum !== undefined) return `one of ${node.enum.map(show).join(", ")}`;
  if (node.const !== undefined) return show(node.const);
  switch (node.type) {
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
