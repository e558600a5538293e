import { BusyError, SequenceError } from "../engine/request.ts";

/** Every code that an error body may carry, with its HTTP status. */
export const STATUS = {
  invalid_json: 400,
  invalid_utf8: 400,
  missing_required_parameter: 400,
  invalid_type: 400,
  invalid_value: 400,
  invalid_unicode: 400,
  unknown_parameter: 400,
  unsupported_parameter: 400,
  incompatible_parameters: 400,
  token_out_of_range: 400,
  context_length_exceeded: 400,
  chat_not_supported: 400,
  invalid_last_event_id: 400,
  missing_api_key: 401,
  invalid_api_key: 401,
  host_not_allowed: 403,
  origin_not_allowed: 403,
  route_not_found: 404,
  model_not_found: 404,
  generation_not_found: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  request_too_large: 413,
  uri_too_long: 414,
  unsupported_media_type: 415,
  unsupported_content_encoding: 415,
  queue_full: 429,
  internal_error: 500,
  model_loading: 503,
  draining: 503,
  device_lost: 503,
  generation_timeout: 504,
} as const;

/** Code of an error body. */
export type ErrorCode = keyof typeof STATUS;

/** The JSON body of every refusal, and the data of an `error` event. */
export interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: ErrorCode;
  };
}

/** Status that nginx logs, too, when the client left before its answer. Nobody reads the response. */
export const CLIENT_LEFT = 499;

const TYPE_OF_STATUS: Readonly<Record<number, string>> = {
  401: "authentication_error",
  403: "permission_error",
  408: "timeout_error",
  429: "rate_limit_error",
  500: "server_error",
  503: "unavailable_error",
  504: "timeout_error",
};

const LONGEST_MESSAGE = 1000;
const LONGEST_SHOWN = 100;

/** A refusal with a message that was written for the client. */
export class RequestError extends Error {
  override readonly name = "RequestError";
  readonly status: number;
  readonly type: string;
  readonly param: string | null;
  /** Response headers that go with the refusal. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    readonly code: ErrorCode,
    message: string,
    { param = null, headers = {} }: {
      param?: string | null;
      headers?: Readonly<Record<string, string>>;
    } = {},
  ) {
    super(cut(message, LONGEST_MESSAGE));
    this.status = STATUS[code];
    this.type = TYPE_OF_STATUS[this.status] ?? "invalid_request_error";
    this.param = param;
    this.headers = headers;
  }

  /** The body that the client gets. */
  body(): ErrorBody {
    const { message, type, param, code } = this;
    return { error: { message, type, param, code } };
  }
}

/** `text` with at most `length` characters, never ending between two halves of one. */
export function cut(text: string, length = LONGEST_SHOWN): string {
  if (text.length <= length) return text;
  // Two code units a character at most, so a slice bounds the work on long text.
  return [...text.slice(0, 2 * length)].slice(0, length).join("");
}

/** A given value as a message shows it: cut, and without what containers hold. */
export function show(value: unknown): string {
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === "object" && value !== null) return "an object";
  if (typeof value === "string") return JSON.stringify(cut(value));
  return String(value);
}

/** A value that has the right type and may not be used: `param` must be `expected`. */
export function invalidValue(param: string, expected: string, value: unknown): RequestError {
  const message = `${param} must be ${expected}, got ${show(value)}`;
  return new RequestError("invalid_value", message, { param });
}

/** Seconds after which a refused client should try again. */
const RETRY_AFTER_SECONDS = { queue_full: 1, model_loading: 2, device_lost: 2, draining: 5 };

const UNAVAILABLE = {
  queue_full: "Too many requests are waiting, try again later",
  model_loading: "The model is being loaded, try again later",
  device_lost: "The device was lost, try again later",
  draining: "The server is shutting down, try again later",
} as const;

/** The refusal of work that the server cannot take now, and might take later. */
export function unavailable(code: keyof typeof UNAVAILABLE): RequestError {
  const headers: Record<string, string> = { "Retry-After": String(RETRY_AFTER_SECONDS[code]) };
  if (code === "draining") headers["Connection"] = "close";
  return new RequestError(code, UNAVAILABLE[code], { headers });
}

/**
 * What a client is told of `error`. Messages that were not written for clients do not get
 * through: of those only the request's id is told, by which the log has more.
 */
export function toRequestError(error: unknown, requestId: string): RequestError {
  if (error instanceof RequestError) return error;
  if (error instanceof BusyError) return unavailable(error.code);
  if (error instanceof SequenceError && error.code !== "internal_error") {
    return unavailable(error.code);
  }
  return new RequestError("internal_error", `The server made an error (request ${requestId})`);
}

/** A JSON response of this server. */
export function jsonResponse(
  body: unknown,
  { status = 200, headers = {} }: {
    status?: number;
    headers?: Readonly<Record<string, string>>;
  } = {},
): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { ...headers, "Content-Type": "application/json; charset=utf-8" },
  });
}

/** The HTTP response that tells of `error`. */
export function errorResponse(error: RequestError): Response {
  return jsonResponse(error.body(), error);
}
