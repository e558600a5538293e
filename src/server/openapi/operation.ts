import type { z } from "zod";
import type { ErrorCode } from "../errors.ts";
import { type Json, schemaReference, toJsonSchemas } from "./json_schema.ts";
import { headersOf, OF_ALL, OF_KEYS, refusalsOf } from "./refusals.ts";
import type { SchemaName } from "./schemas.ts";

/** Groups of operations. */
export type Tag = "OpenAI" | "Blocks" | "Likelihood" | "Models" | "Tokens" | "Server";

/** A parameter of an operation outside its body. */
export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly description: string;
  readonly required?: boolean;
  readonly schema: Json;
}

/** What an operation answers when it refuses nothing. */
export interface Answer {
  readonly description: string;
  /** The schema of a JSON body. */
  readonly json?: SchemaName;
  /** What a stream of server-sent events has: the schemas of the events' data by type. */
  readonly events?: Readonly<Record<string, readonly SchemaName[]>>;
  /** The media type of a body that is plain text. */
  readonly text?: string;
}

/** A request that works, on a server with the model that ships. */
export interface Example {
  readonly summary: string;
  readonly body?: Json;
  /** Values of parameters by their names. */
  readonly parameters?: Json;
}

/** What the interface can do: a method of a path. */
export interface Operation {
  readonly id: string;
  readonly method: "get" | "post" | "delete";
  /** With parameters in braces. */
  readonly path: string;
  readonly tag: Tag;
  readonly summary: string;
  readonly description?: string;
  /** Whether it is open to everybody. */
  readonly isPublic?: boolean;
  /** The fields of its query. */
  readonly query?: z.ZodObject;
  /** What it takes beside them outside of its body. */
  readonly parameters?: readonly Parameter[];
  /** The schema of its JSON body. */
  readonly body?: SchemaName;
  /** By status. */
  readonly answers: Readonly<Record<number, Answer>>;
  /** What it may be refused with, beside what all operations may. */
  readonly refusals: readonly ErrorCode[];
  readonly examples?: Readonly<Record<string, Example>>;
}

/** The operation as OpenAPI writes it. */
export function describeOperation(operation: Operation): Json {
  const { id, tag, summary, description, isPublic = false, answers } = operation;
  const parameters = [...queryParameters(operation), ...operation.parameters ?? []];
  const codes = [...operation.refusals, ...OF_ALL, ...(isPublic ? [] : OF_KEYS)];
  const answered = Object.entries(answers)
    .map(([status, answer]) => [status, describeAnswer(Number(status), answer)]);
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description !== undefined && { description }),
    ...(isPublic && { security: [] }),
    parameters: [
      ...parameters.map((each) => describeParameter(each, operation.examples)),
      { $ref: "#/components/parameters/X-Request-Id" },
    ],
    ...(operation.body !== undefined && {
      requestBody: describeBody(operation.body, operation.examples),
    }),
    responses: { ...refusalsOf(codes), ...Object.fromEntries(answered) },
  };
}

function queryParameters({ query }: Operation): Parameter[] {
  if (query === undefined) return [];
  const { fields } = toJsonSchemas({ fields: query });
  // Each of the fields has a description, which a parameter has beside its schema.
  const properties = fields!.properties as Readonly<Record<string, { description: string }>>;
  return Object.entries(properties)
    .map(([name, { description, ...schema }]) => ({ name, in: "query", description, schema }));
}

type Examples = Operation["examples"];

function describeParameter(parameter: Parameter, examples: Examples = {}): Json {
  const given = Object.entries(examples)
    .filter(([, { parameters = {} }]) => parameter.name in parameters)
    .map(([name, { summary, parameters }]) => [
      name,
      { summary, value: parameters![parameter.name] },
    ]);
  return { ...parameter, ...(given.length > 0 && { examples: Object.fromEntries(given) }) };
}

function describeBody(schema: SchemaName, examples: Examples = {}): Json {
  const given = Object.entries(examples)
    .map(([name, { summary, body = {} }]) => [name, { summary, value: body }]);
  return {
    required: true,
    content: {
      "application/json": {
        schema: schemaReference(schema),
        examples: Object.fromEntries(given),
      },
    },
  };
}

function describeAnswer(status: number, { description, json, events, text }: Answer): Json {
  const content: Json = {
    ...(json !== undefined && { "application/json": { schema: schemaReference(json) } }),
    ...(events !== undefined && { "text/event-stream": describeEvents(events) }),
    ...(text !== undefined && { [text]: { schema: { type: "string" } } }),
  };
  return {
    description,
    headers: headersOf(status),
    ...(Object.keys(content).length > 0 && { content }),
  };
}

/** OpenAPI 3.1 has no words for what a stream has in it: an extension says it. */
function describeEvents(events: NonNullable<Answer["events"]>): Json {
  const types = Object.entries(events).map(([type, names]) => {
    const references = names.map(schemaReference);
    return [type, references.length === 1 ? references[0] : { anyOf: references }];
  });
  return {
    schema: {
      type: "string",
      description: "Server-sent events; `x-events` has the schemas of their data, which is JSON, " +
        "by the type of the event.",
    },
    "x-events": Object.fromEntries(types),
  };
}
