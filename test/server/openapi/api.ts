import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { openApiDocument } from "../../../src/server/openapi/document.ts";
import { byteTokenizer, testApp } from "../support.ts";

// deno-lint-ignore no-explicit-any -- a JSON document, looked at as it is
type Any = any;

/** Id of the model in the document's examples. */
export const MODEL = "tinystories-bd3lm";

/** Documented, and served by nobody yet. */
export const NOT_SERVED: readonly string[] = [];

/** An operation as the document has it, its references to parameters and responses followed. */
export interface DocumentedOperation {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly Any[];
  readonly body: Any;
  readonly responses: Readonly<Record<string, Any>>;
}

/** A request that the document shows. */
export interface DocumentedExample {
  readonly name: string;
  readonly operation: DocumentedOperation;
  readonly body: Any;
  /** Values of parameters by name. */
  readonly parameters: Readonly<Record<string, Any>>;
}

/** The document under test. */
export const DOCUMENT: Any = openApiDocument({ version: "1.2.3" });

/** All operations, in the order of the document. */
export const OPERATIONS: readonly DocumentedOperation[] = Object.entries<Any>(DOCUMENT.paths)
  .flatMap(([path, methods]) =>
    Object.entries<Any>(methods).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      method: method.toUpperCase(),
      path,
      parameters: operation.parameters.map(resolve),
      body: operation.requestBody?.content["application/json"],
      responses: Object.fromEntries(
        Object.entries(operation.responses).map(([status, each]) => [status, resolve(each)]),
      ),
    }))
  );

/** The operations that the app of these tests has. */
export const SERVED = OPERATIONS.filter(({ path }) => !NOT_SERVED.includes(path));

/** What `{$ref}` points at, or the value itself. */
function resolve(value: Any): Any {
  if (value.$ref === undefined) return value;
  return value.$ref.slice(2).split("/").reduce((place: Any, key: string) => place[key], DOCUMENT);
}

/** The operation with this method and path. */
export function operation(name: string): DocumentedOperation {
  return OPERATIONS.find((each) => each.name === name)!;
}

/** The requests that an operation shows, one at least. */
export function examplesOf(operation: DocumentedOperation): DocumentedExample[] {
  const { parameters, body } = operation;
  const own = parameters.filter(({ examples }) => examples !== undefined);
  const names = new Set([body, ...own].flatMap((each) => Object.keys(each?.examples ?? {})));
  return [...names.size === 0 ? [""] : names].map((name) => ({
    name: `${operation.name} ${name}`.trimEnd(),
    operation,
    body: body?.examples[name].value,
    parameters: Object.fromEntries(
      parameters.map((each) => [each.name, each.examples?.[name]?.value ?? each.example])
        .filter(([, value]) => value !== undefined),
    ),
  }));
}

/** A URL and what goes with it. */
export interface WireRequest {
  readonly url: string;
  readonly init: RequestInit;
}

/** Writes a request as OpenAPI says: parameters where they belong, arrays in a query repeated. */
export function toWire(
  { method, path, parameters }: DocumentedOperation,
  { body, values }: { readonly body?: unknown; readonly values: Readonly<Record<string, Any>> },
): WireRequest {
  const query = new URLSearchParams();
  const headers = new Headers();
  let url = path;
  for (const [name, value] of Object.entries(values)) {
    const place = parameters.find((each) => each.name === name)?.in;
    if (place === "path") url = url.replace(`{${name}}`, encodeURIComponent(value));
    if (place === "header") headers.set(name, value);
    // What the document does not know goes there as well: to see it refused.
    if (place === "query" || place === undefined) {
      [value].flat().forEach((each) => query.append(name, String(each)));
    }
  }
  if (query.size > 0) url += `?${query}`;
  if (body === undefined) return { url, init: { method, headers } };
  headers.set("content-type", "application/json");
  return { url, init: { method, headers, body: JSON.stringify(body) } };
}

/** An app with the model of the examples, which chats. */
export function exampleApp(options: Parameters<typeof testApp>[0] = {}) {
  return testApp({
    script: { model: { id: MODEL } },
    chat: { switches: [], tokens: (messages) => byteTokenizer.encode(messages.at(-1)!.content) },
    version: "1.2.3",
    ...options,
  });
}

/**
 * Checks values against schemas of the document, as they stand in it. What answers may have is
 * taken strictly here: clients must expect fields they do not know, but none is sent undocumented.
 */
export class SchemaChecker {
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true });
  readonly #compiled = new Map<string, ValidateFunction>();

  constructor() {
    const schemas = structuredClone(DOCUMENT.components.schemas);
    Object.values<Any>(schemas).forEach(close);
    this.#ajv.addSchema({ $id: "api:/document", components: { schemas } });
  }

  /** What is wrong with `value`; empty where nothing is. */
  problems(schema: Any, value: unknown): string[] {
    const key = JSON.stringify(schema);
    let validate = this.#compiled.get(key);
    if (validate === undefined) {
      const absolute = key.replaceAll('"#/components/', '"api:/document#/components/');
      validate = this.#ajv.compile(JSON.parse(absolute));
      this.#compiled.set(key, validate);
    }
    validate(value);
    return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
  }
}

/** Forbids, all the way down, properties that are not listed. */
function close(schema: Any): void {
  if (typeof schema !== "object" || schema === null) return;
  if (schema.properties !== undefined) schema.additionalProperties ??= false;
  Object.values(schema).forEach(close);
}
