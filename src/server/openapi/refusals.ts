import { type ErrorCode, STATUS } from "../errors.ts";
import { type Json, schemaReference } from "./json_schema.ts";

/** When a request is refused, or fails, with each code. */
const WHEN: Readonly<Record<ErrorCode, string>> = {
  invalid_json: "the body is no JSON object, was cut off, or is nested deeper than 64",
  invalid_utf8: "the body, or what a query decodes to, is not UTF-8",
  missing_required_parameter: "a required field is absent or null",
  invalid_type: "a field has another JSON type",
  invalid_value: "a field is out of range, empty where it may not be, or given twice in a query",
  invalid_unicode: "a string has a lone surrogate",
  unknown_parameter: "there is no such field",
  unsupported_parameter: "the server does not implement what an OpenAI field asks for",
  incompatible_parameters: "two fields exclude each other",
  token_out_of_range: "a token id is outside the vocabulary, or the mask",
  context_length_exceeded: "the prompt and `max_tokens` do not fit into the context",
  chat_not_supported: "the model has no chat template",
  invalid_last_event_id: "the event id is malformed, of another generation, or ahead of the stream",
  missing_api_key: "a key is needed, and there is none",
  invalid_api_key: "the key is not among those configured",
  host_not_allowed: "the `Host` is not one of the server's",
  origin_not_allowed: "the page that calls is of an origin that may not",
  route_not_found: "there is no such path",
  model_not_found: "there is no such model",
  generation_not_found: "there is no such generation, or no longer, or another key made it",
  method_not_allowed: "the path has other methods, which `Allow` names",
  request_timeout: "the body was not complete in time",
  request_too_large: "the body has too many bytes or pieces",
  uri_too_long: "path and query have more than 8192 bytes",
  unsupported_media_type: "the body is not `application/json`",
  unsupported_content_encoding: "the body is compressed",
  queue_full: "too many requests are waiting",
  internal_error: "the server has a bug; its log has more under the request's id",
  model_loading: "the model is being loaded",
  draining: "the server is shutting down",
  device_lost: "the device was lost",
  generation_timeout: "the generation took too long",
};

// The keys of STATUS are what codes are.
const CODES = Object.keys(STATUS) as ErrorCode[];

/** What every request may be refused with. */
export const OF_ALL: readonly ErrorCode[] = [
  "host_not_allowed",
  "origin_not_allowed",
  "uri_too_long",
  "internal_error",
];
/** What requests that need a key may be refused with. */
export const OF_KEYS: readonly ErrorCode[] = ["missing_api_key", "invalid_api_key"];
/** What requests with a JSON body may be refused with. */
export const OF_BODIES: readonly ErrorCode[] = [
  "invalid_json",
  "invalid_utf8",
  "invalid_unicode",
  "request_timeout",
  "request_too_large",
  "unsupported_media_type",
  "unsupported_content_encoding",
];
/** What requests with fields, some of them required, may be refused with. */
export const OF_FIELDS: readonly ErrorCode[] = [
  "missing_required_parameter",
  "invalid_type",
  "invalid_value",
  "unknown_parameter",
];
/** What requests that name a model may be refused with. */
export const OF_MODELS: readonly ErrorCode[] = ["model_not_found", "model_loading", "device_lost"];
/** What requests that generate may be refused with, or fail with. */
export const OF_GENERATIONS: readonly ErrorCode[] = [
  ...OF_MODELS,
  "invalid_type",
  "invalid_value",
  "unknown_parameter",
  "unsupported_parameter",
  "incompatible_parameters",
  "context_length_exceeded",
  "queue_full",
  "draining",
  "generation_timeout",
];

/** All codes with what they mean, as a list. */
export function listCodes(): string {
  return CODES.map((code) => `- \`${code}\` (${STATUS[code]}): ${WHEN[code]}`).join("\n");
}

/** The responses that refuse with one of `codes`, by status. */
export function refusalsOf(codes: readonly ErrorCode[]): Readonly<Record<string, Json>> {
  const statuses = new Set(codes.map((code) => STATUS[code]));
  return Object.fromEntries([...statuses].map((status) => {
    const given = withStatus(status).filter((code) => codes.includes(code));
    const isWhole = given.length === withStatus(status).length;
    return [status, isWhole ? { $ref: `#/components/responses/${status}` } : refusal(given)];
  }));
}

/** Responses that refuse with any code of their status, by which they are named. */
export function wholeRefusals(): Readonly<Record<string, Json>> {
  const shared = [401, 403, 408, 413, 414, 415, 429, 500, 503, 504];
  return Object.fromEntries(shared.map((status) => [status, refusal(withStatus(status))]));
}

function withStatus(status: number): ErrorCode[] {
  return CODES.filter((code) => STATUS[code] === status);
}

function refusal(codes: readonly ErrorCode[]): Json {
  const narrowed = { properties: { error: { properties: { code: { enum: codes } } } } };
  return {
    description: codes.map((code) => `- \`${code}\`: ${WHEN[code]}`).join("\n"),
    headers: headersOf(STATUS[codes[0]!]), // There is a code for every status that is asked for.
    content: { "application/json": { schema: { allOf: [schemaReference("Error"), narrowed] } } },
  };
}

/** The headers that a response of this status has. */
export function headersOf(status: number): Json {
  const names = ["X-Request-Id"];
  if (status === 401) names.push("WWW-Authenticate");
  if (status === 429 || status === 503) names.push("Retry-After");
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}
