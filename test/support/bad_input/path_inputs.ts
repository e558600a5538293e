import type { BadInput } from "./draft.ts";

/** Names of one segment that nothing has; as they are sent. */
const NAMES = [
  ...["x", "TEST-COPY", "test-copy.", "test-copy%20", "test-copy%00", "test-copy%2f", "__proto__"],
  ...["constructor", "hasOwnProperty", "..", ".", "...", "%2e%2e", "..%2f..%2fetc%2fpasswd", "%00"],
  ...["%", "%zz", "%ff", "%C3%28", "%E0%A4%A", "%F0%9F%92%A7", "%ED%A0%80", "\u00e9", "%25", "*"],
  ...[":id", "a:b", "a;b", "a,b", "a@b", "'", '"', "<script>", "{}", "[]", "|", "$(id)", "~", "^"],
  ...["%u0041", "null", "undefined", "0", "-1", "NaN", "x".repeat(3000), "%41".repeat(1000)],
];

/** What a path takes, as the contract's table has it. */
const METHODS: Readonly<Record<string, readonly string[]>> = {
  "/v1/models": ["GET"],
  "/v1/models/test-copy": ["GET"],
  "/v1/blocks": ["GET", "POST"],
  "/v1/blocks/blk_0000000000000000000000": ["GET", "DELETE"],
  "/v1/completions": ["POST"],
  "/v1/chat/completions": ["POST"],
  "/tokenize": ["POST"],
  "/detokenize": ["POST"],
  "/metrics": ["GET"],
  "/openapi.json": ["GET"],
  "/health": ["GET"],
  "/ready": ["GET"],
};

/** A refusal of a method, and what it must say is allowed. */
export interface BadMethod extends BadInput {
  readonly allowed: readonly string[];
}

/** Requests with names in their paths that nothing has. */
export function pathInputs(): BadInput[] {
  const input = (method: string, target: string, code: string, param: string | null = null) => ({
    name: `${method} ${target.slice(0, 300)}`,
    request: { method, target },
    code,
    param,
  });
  const long = `x=${"y".repeat(8192)}`;
  return [
    ...NAMES.flatMap((name) => [
      input("GET", `/v1/models/${name}`, "model_not_found", "model"),
      input("GET", `/v1/blocks/${name}`, "generation_not_found"),
      input("DELETE", `/v1/blocks/${name}`, "generation_not_found"),
      input("GET", `/${name}`, "route_not_found"),
      input("GET", `/v1/${name}`, "route_not_found"),
      input("GET", `/v1/models/test-copy/${name}`, "route_not_found"),
      input("POST", `/v1/completions/${name}`, "route_not_found"),
    ]),
    ...["/v1/models", "/health", "/v1/blocks", "/ready"].map((path) =>
      input("GET", `${path}?${long}`, "uri_too_long")
    ),
    input("GET", `/${"y".repeat(8192)}`, "uri_too_long"),
  ];
}

/** Requests with methods that their paths do not take. */
export function methodInputs(): BadMethod[] {
  const methods = [
    "GET",
    "POST",
    "PUT",
    "DELETE",
    "PATCH",
    "TRACE",
    "PROPFIND",
    "get",
    "QUERY",
    "_",
  ];
  return Object.entries(METHODS).flatMap(([target, allowed]) =>
    methods.filter((method) => !allowed.includes(method)).map((method) => ({
      name: `${method} ${target}`,
      request: { method, target },
      code: "method_not_allowed",
      param: null,
      allowed,
    }))
  );
}

/**
 * Requests to come back to a generation, with an event's id that is none.
 *
 * @param generation Id of a generation that is over.
 * @param last Number of its last event.
 */
export function eventIdInputs(generation: string, last: number): BadInput[] {
  const other = "blk_0000000000000000000000";
  const numbers = [
    "",
    "-1",
    "01",
    "+1",
    "1.0",
    "1e0",
    "0x1",
    " 1",
    "1 ",
    "a",
    "NaN",
    "9".repeat(30),
  ];
  const malformed = [
    ...["x", "1", ".", generation, `.${last}`, `${generation},1`, `${generation}:1`],
    ...["blk_.1", "blk_short.1", `blk_${"x".repeat(100)}.1`, `cmpl-${generation.slice(4)}.1`],
    ...numbers.map((number) => `${generation}.${number}`).filter((id) => id.trim() === id),
  ];
  const invalid = { code: "invalid_last_event_id", param: null };
  const gone = { code: "generation_not_found", param: null };
  return [
    ...malformed.flatMap((id) => eventIdInput(generation, id, invalid)),
    ...eventIdInput(generation, `${generation}.${last + 1}`, invalid),
    ...eventIdInput(other, `${other}.0`, gone),
    ...eventIdInput(other, `${other}.${last}`, gone),
    // Only where the path says which generation is meant can it be another one.
    ...eventIdInput(generation, `${other}.0`, invalid).slice(0, 2),
  ];
}

/** The ways to give an event's id: the first two to the generation's own path. */
function eventIdInput(
  generation: string,
  id: string,
  refusal: { readonly code: string; readonly param: null },
): BadInput[] {
  const headers = [["Last-Event-ID", id]] as const;
  const query = `last_event_id=${encodeURIComponent(id)}`;
  const target = "/v1/blocks";
  const own = `${target}/${generation}`;
  return [
    {
      name: `GET ${own} after ${id}`,
      request: { method: "GET", target: own, headers },
      ...refusal,
    },
    {
      name: `GET ${own}?${query}`,
      request: { method: "GET", target: `${own}?${query}` },
      ...refusal,
    },
    { name: `GET ${target} after ${id}`, request: { method: "GET", target, headers }, ...refusal },
    {
      name: `GET ${target}?${query}`,
      request: { method: "GET", target: `${target}?${query}` },
      ...refusal,
    },
    {
      name: `POST ${target} after ${id}`,
      request: { method: "POST", target, headers, body: "not looked at" },
      ...refusal,
    },
  ];
}
