/** A request that the server must refuse. */
export interface BadRequest {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
  readonly status: number;
}

const JSON_TYPE = { "Content-Type": "application/json" };

function json(body: string, status = 400): BadRequest {
  return { path: "/v1/blocks", headers: JSON_TYPE, body, status };
}

/** One of most kinds. Source: the contract, section 2. */
export const BAD_REQUESTS: readonly BadRequest[] = [
  json("{"),
  json("[]"),
  json("\xff"),
  json('{"prompt":1}'),
  json('{"prompt":"\\ud800"}'),
  json('{"prompt":[1e9]}'),
  json('{"colour":"red"}'),
  json('{"max_tokens":0}'),
  json('{"max_tokens":1e999}'),
  json('{"steps":4}'),
  json('{"model":"other"}', 404),
  json(`{"a":${"[".repeat(1000)}${"]".repeat(1000)}}`),
  json(`{"prompt":"${"a".repeat(1_100_000)}"}`, 413),
  { path: "/v1/blocks", body: "{}", status: 415 },
  { path: "/v1/completions", headers: JSON_TYPE, body: '{"prompt":"a"}', status: 400 },
  { path: "/v1/chat/completions", headers: JSON_TYPE, body: '{"messages":[]}', status: 400 },
  { method: "GET", path: "/v1/blocks/blk_0000000000000000000000", body: "", status: 404 },
  {
    method: "GET",
    path: "/v1/blocks",
    headers: { "Last-Event-ID": "nonsense" },
    body: "",
    status: 400,
  },
  { method: "GET", path: "/nowhere", body: "", status: 404 },
  { method: "PUT", path: "/v1/blocks", body: "", status: 405 },
  { method: "GET", path: `/health?${"a".repeat(9000)}`, body: "", status: 414 },
  { method: "GET", path: "/health", headers: { Host: "evil.example" }, body: "", status: 403 },
];
