import { assertEquals } from "@std/assert";
import { BusyError, SequenceError } from "../../src/engine/request.ts";
import {
  cut,
  type ErrorCode,
  RequestError,
  show,
  toRequestError,
} from "../../src/server/errors.ts";
import { errorOf, testApp } from "./support.ts";

/** Every row of the contract's table of errors: status, type, and the codes that have them. */
const TABLE: readonly (readonly [number, string, readonly ErrorCode[]])[] = [
  [400, "invalid_request_error", [
    "invalid_json",
    "invalid_utf8",
    "missing_required_parameter",
    "invalid_type",
    "invalid_value",
    "invalid_unicode",
    "unknown_parameter",
    "unsupported_parameter",
    "incompatible_parameters",
    "token_out_of_range",
    "context_length_exceeded",
    "chat_not_supported",
    "invalid_last_event_id",
  ]],
  [401, "authentication_error", ["missing_api_key", "invalid_api_key"]],
  [403, "permission_error", ["host_not_allowed", "origin_not_allowed"]],
  [404, "invalid_request_error", ["route_not_found", "model_not_found", "generation_not_found"]],
  [405, "invalid_request_error", ["method_not_allowed"]],
  [408, "timeout_error", ["request_timeout"]],
  [413, "invalid_request_error", ["request_too_large"]],
  [414, "invalid_request_error", ["uri_too_long"]],
  [415, "invalid_request_error", ["unsupported_media_type", "unsupported_content_encoding"]],
  [429, "rate_limit_error", ["queue_full"]],
  [500, "server_error", ["internal_error"]],
  [503, "unavailable_error", ["model_loading", "draining", "device_lost"]],
  [504, "timeout_error", ["generation_timeout"]],
];

/** Codes of endpoints that do not exist yet. */
const UNREACHABLE: readonly ErrorCode[] = ["missing_required_parameter", "chat_not_supported"];

/** One request for every other code that is answered with it. */
const PROVOCATIONS: Readonly<Record<string, () => Promise<Response>>> = {
  invalid_json: () => testApp().post("{"),
  invalid_utf8: () => testApp().send("/v1/blocks?prompt=%ff"),
  invalid_type: () => testApp().post({ seed: "1" }),
  invalid_value: () => testApp().post({ seed: -1 }),
  invalid_unicode: () => testApp().post('{"prompt":"\\ud800"}'),
  unknown_parameter: () => testApp().post({ promt: "" }),
  unsupported_parameter: () => testApp().post({ best_of: 2 }),
  incompatible_parameters: () => testApp().post({ steps: 1 }),
  token_out_of_range: () => testApp().post({ prompt: [258] }),
  context_length_exceeded: () => testApp().post({ prompt: "ab", max_tokens: 4095 }),
  invalid_last_event_id: () => testApp().send("/v1/blocks?last_event_id=x"),
  missing_api_key: () => testApp({ settings: { apiKeys: ["k"] } }).post({}),
  invalid_api_key: () =>
    testApp({ settings: { apiKeys: ["k"] } })
      .send("/v1/models", { headers: { authorization: "Bearer x" } }),
  host_not_allowed: () => testApp().send("/health", { headers: { host: "evil.example" } }),
  origin_not_allowed: () => testApp().send("/health", { headers: { origin: "null" } }),
  route_not_found: () => testApp().send("/v1/nothing"),
  model_not_found: () => testApp().send("/v1/models/nothing"),
  generation_not_found: () => testApp().send(`/v1/blocks?last_event_id=blk_${"a".repeat(22)}.1`),
  method_not_allowed: () => testApp().send("/v1/models", { method: "DELETE" }),
  request_timeout: () =>
    testApp({ settings: { bodyTimeoutMs: 1 } }).send("/v1/blocks", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: new ReadableStream(),
    }),
  request_too_large: () => testApp({ settings: { maxBodyBytes: 1 } }).post({}),
  uri_too_long: () => testApp().send(`/${"x".repeat(8192)}`),
  unsupported_media_type: () => testApp().send("/v1/blocks", { method: "POST", body: "{}" }),
  unsupported_content_encoding: () =>
    testApp().send("/v1/blocks", {
      method: "POST",
      headers: { "content-type": "application/json", "content-encoding": "gzip" },
      body: "{}",
    }),
  queue_full: () => testApp({ script: { maxConcurrent: 0, maxQueue: 0 } }).post({}),
  internal_error: () => testApp({ script: { refusal: new Error("bug") } }).post({}),
  model_loading: () => testApp({ models: new Promise(() => {}) }).post({}),
  draining: () => testApp({ script: { refusal: new BusyError("draining") } }).post({}),
  device_lost: () => testApp({ script: { refusal: new BusyError("device_lost") } }).post({}),
  generation_timeout: () =>
    testApp({
      script: { beforeStep: () => new Promise(() => {}) },
      settings: { requestTimeoutMs: 1 },
    }).post({ stream: false }),
};

for (const [status, type, codes] of TABLE) {
  for (const code of codes.filter((each) => !UNREACHABLE.includes(each))) {
    Deno.test(`${code} is answered with ${status} and a whole error body`, async () => {
      const response = await PROVOCATIONS[code]!();
      assertEquals(response.status, status);
      assertEquals(response.headers.get("content-type"), "application/json; charset=utf-8");
      assertEquals(response.headers.has("retry-after"), status === 429 || status === 503);
      const error = await errorOf(response);
      assertEquals(Object.keys(error), ["message", "type", "param", "code"]);
      assertEquals([error.type, error.code], [type, code]);
    });
  }
}

Deno.test("RequestError has the contract's status and type for every code", () => {
  for (const [status, type, codes] of TABLE) {
    for (const code of codes) {
      const error = new RequestError(code, "x");
      assertEquals([error.code, error.status, error.type], [code, status, type]);
    }
  }
});

Deno.test("RequestError has a message of at most 1000 characters", () => {
  const { message } = new RequestError("invalid_value", "💧".repeat(2000));
  assertEquals(message, "💧".repeat(1000));
});

Deno.test("toRequestError() tells clients only what was written for them", () => {
  const told = (error: unknown) => {
    const { code, message } = toRequestError(error, "req_1");
    return [code, message.includes("secret")];
  };
  assertEquals(told(new SequenceError("internal_error", "secret")), ["internal_error", false]);
  assertEquals(told(new SequenceError("device_lost", "secret")), ["device_lost", false]);
  assertEquals(told(new SequenceError("draining", "secret")), ["draining", false]);
  assertEquals(told(new RangeError("secret")), ["internal_error", false]);
  assertEquals(told("secret"), ["internal_error", false]);
});

Deno.test("show() cuts text and hides what containers hold", () => {
  assertEquals(show("a\n"), '"a\\n"');
  assertEquals(show("x".repeat(101)), `"${"x".repeat(100)}"`);
  assertEquals([show([1, 2]), show({ a: 1 })], ["an array of 2", "an object"]);
  assertEquals([show(null), show(1e300), show(false)], ["null", "1e+300", "false"]);
});

Deno.test("cut() never ends between two halves of a character", () => {
  assertEquals(cut("a💧💧", 2), "a💧");
  assertEquals(cut("💧".repeat(100)), "💧".repeat(100));
});
