import { type Attributes, context, trace } from "@opentelemetry/api";

/** When something happened, in milliseconds since the epoch, and what there is to say of it. */
export interface SpanDetails {
  readonly beginMs: number;
  readonly endMs: number;
  /** Numbers and names of models; never text of prompts or answers, keys, or paths. */
  readonly attributes: Attributes;
}

/** Records a span that is over. */
export type RecordSpan = (name: string, details: SpanDetails) => void;

/** What the runtime says of the target of a request. A query may hold a prompt. */
const TARGET_ATTRIBUTES = ["url.full", "url.path", "url.query"];

/**
 * Keeps the targets of requests out of the spans that the runtime makes for them. It sets them
 * before anybody else sees the span, and what is set again is exported twice: so what is left is to
 * change the class of its spans, for the whole process and before the first request.
 */
export function hideTargets(): void {
  const prototype = Object.getPrototypeOf(trace.getTracer("").startSpan(""));
  const setAttribute: (name: string, value: unknown) => unknown = prototype.setAttribute;
  prototype.setAttribute = function (name: string, value: unknown) {
    return TARGET_ATTRIBUTES.includes(name) ? this : setAttribute.call(this, name, value);
  };
}

/** Adds to the runtime's span of the request that is being answered what only the app knows. */
export function describeRequest(
  { method, route, requestId }: {
    readonly method: string;
    /** The pattern of its route. */
    readonly route: string | null;
    readonly requestId: string;
  },
): void {
  const span = trace.getActiveSpan();
  span?.setAttribute("bd.request_id", requestId);
  if (route === null) return;
  span?.setAttribute("http.route", route);
  span?.updateName(`${method} ${route}`);
}

/**
 * Records spans as children of the span of the request that is being answered now, also when its
 * response has long begun; `null` where nobody traces.
 *
 * @param version Version of this software.
 */
export function childSpans(version: string): RecordSpan | null {
  const parent = context.active();
  if (trace.getSpan(parent) === undefined) return null;
  const tracer = trace.getTracer("blockdiffusion", version);
  return (name, { beginMs, endMs, attributes }) =>
    tracer.startSpan(name, { startTime: beginMs, attributes }, parent).end(endMs);
}
