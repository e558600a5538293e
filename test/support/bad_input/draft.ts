import type { RawRequest } from "../raw_connection.ts";

/**
 * What a server looks at, in the order in which it must: what is wrong with an earlier one is what
 * a request is refused for.
 *
 * Source: the contract, section 1, "Order of checks".
 */
export const STAGES = [
  "host",
  "origin",
  "route",
  "method",
  "media type",
  "size",
  "json",
  "fields",
  "model",
  "ranges",
  "context",
] as const;

/** Where a fault is noticed. */
export type Stage = (typeof STAGES)[number];

/** A request in the making: right, until a fault is put in. */
export interface Draft {
  method: string;
  target: string;
  headers: [name: string, value: string][];
  /** Of the body, each value as JSON text. */
  fields: [name: string, json: string][];
  /** What becomes of the body's text. */
  spoilText: (text: string) => string;
  /** What becomes of its bytes. */
  spoilBytes: (bytes: Uint8Array) => Uint8Array;
}

/** One thing that is wrong with a request. */
export interface Fault {
  readonly name: string;
  /** The stage at which it is noticed; the first and the last where the contract does not say. */
  readonly stages: readonly [first: Stage, last: Stage];
  readonly code: string;
  /** The `param` of the refusal; `undefined` where the contract does not say. */
  readonly param?: string | null;
  /** Names of the fields that it needs for itself. */
  readonly fields: readonly string[];
  spoil(draft: Draft): void;
}

/** A request to be refused. */
export interface BadInput {
  readonly name: string;
  readonly request: RawRequest;
  readonly code: string;
  readonly param?: string | null;
}

/** Sets a field to a JSON text, in place of any other value; `null` takes it out. */
export function setField(draft: Draft, name: string, json: string | null): void {
  const others = draft.fields.filter(([each]) => each !== name);
  draft.fields = json === null ? others : [...others, [name, json]];
}

/** A fault that gives fields other values: `null` takes one out. */
export function valueFault(
  values: Readonly<Record<string, string | null>>,
  { name, stages = ["fields", "fields"], ...refusal }: {
    readonly name?: string;
    readonly stages?: Fault["stages"];
    readonly code: string;
    readonly param?: string | null;
  },
): Fault {
  const fields = Object.keys(values);
  return {
    name: name ?? fields.map((each) => `${each} = ${cut(values[each] ?? "nothing")}`).join(", "),
    stages,
    ...refusal,
    fields,
    spoil: (draft) => fields.forEach((each) => setField(draft, each, values[each] ?? null)),
  };
}

/** A fault in something else than a field. */
export function fault(
  name: string,
  { stage, code, param = null, spoil }: {
    readonly stage: Stage;
    readonly code: string;
    readonly param?: string | null;
    readonly spoil: (draft: Draft) => void;
  },
): Fault {
  return { name, stages: [stage, stage], code, param, fields: [], spoil };
}

/** Sets a header in place of any other value; `null` takes it out. */
export function setHeader(draft: Draft, name: string, value: string | null): void {
  const others = draft.headers.filter(([each]) => each !== name);
  draft.headers = value === null ? others : [...others, [name, value]];
}

/** Changes the text of the body, after whatever changes it already. */
export function spoilText(draft: Draft, change: (text: string) => string): void {
  const before = draft.spoilText;
  draft.spoilText = (text) => change(before(text));
}

/** Changes the bytes of the body, after whatever changes them already. */
export function spoilBytes(draft: Draft, change: (bytes: Uint8Array) => Uint8Array): void {
  const before = draft.spoilBytes;
  draft.spoilBytes = (bytes) => change(before(bytes));
}

/** Whether it is known which of two faults a request is refused for. */
export function areOrdered(a: Fault, b: Fault): boolean {
  return isBefore(a, b) || isBefore(b, a);
}

/** The one of several ordered faults that a request is refused for. */
export function firstOf(faults: readonly Fault[]): Fault {
  return faults.reduce((first, each) => isBefore(each, first) ? each : first);
}

function isBefore({ stages: [, last] }: Fault, { stages: [first] }: Fault): boolean {
  return STAGES.indexOf(last) < STAGES.indexOf(first);
}

/** The request that a draft has become. */
export function toRequest(draft: Draft): RawRequest {
  const { method, target, headers } = draft;
  if (method === "GET") return { method, target, headers };
  const object = `{${draft.fields.map(([name, json]) => `${toJson(name)}:${json}`).join(",")}}`;
  const body = draft.spoilBytes(new TextEncoder().encode(draft.spoilText(object)));
  return { method, target, headers, body };
}

/** A JSON string in ASCII. */
export function toJson(text: string): string {
  return JSON.stringify(text).replace(
    /[^\0-\x7f]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** The beginning of a text, for names of cases. */
export function cut(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}… (${text.length})` : text;
}
