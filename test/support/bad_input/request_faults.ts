import { type Fault, fault, setHeader, spoilBytes } from "./draft.ts";

/** What `--max-body-bytes` must be for {@linkcode requestFaults}. */
export const MAX_BODY_BYTES = 200_000;

/** Everything that can be wrong with a request before its body is read. */
export function requestFaults(): Fault[] {
  return [...hostFaults(), ...originFaults(), ...routeFaults(), ...methodFaults(), ...sizeFaults()];
}

function hostFaults(): Fault[] {
  const hosts = ["", "evil.example", "localhost.evil.example", "localhost:x", "127.0.0.1.", "::1"];
  return hosts.map((host) =>
    fault(`Host: ${host}`, {
      stage: "host",
      code: "host_not_allowed",
      spoil: (draft) => setHeader(draft, "Host", host),
    })
  );
}

function originFaults(): Fault[] {
  const fields = [
    ...["https://evil.example", "null", "", "http://localhost:1", "file://", "localhost"].map(
      (origin) => ["Origin", origin] as const,
    ),
    ["Sec-Fetch-Site", "cross-site"] as const,
  ];
  return fields.map(([name, value]) =>
    fault(`${name}: ${value}`, {
      stage: "origin",
      code: "origin_not_allowed",
      spoil: (draft) => setHeader(draft, name, value),
    })
  );
}

function routeFaults(): Fault[] {
  const targets = [
    ...["/", "//", "/v1", "/v1/", "/v1/block", "/v1/blocks/", "//v1/blocks", "/v1//blocks"],
    ...["/V1/blocks", "/v1/Blocks", "/v1/blocks/a/b", "/v1/blocks%2fa", "/v1/%62locks"],
    ...["/v1/./blocks", "/v1/x/../blocks", "/v1/blocks;a=b", "/v1/blocks#a", "/v1/blocks%3fa=b"],
    ...["/v1/blocks%00", "/v1/blocks%20", "/v1/blocks.json", "/v1/completion", "/completions"],
    ...["/v1/completions/", "/v1/chat", "/v1/chat/completions/", "/v1/chat%2fcompletions"],
    ...["/v1/models/", "/v1/models/a/b", "/v1/embeddings", "/v1/responses", "/debug/faults"],
    ...["/favicon.ico", "/robots.txt", "/.env", "/main.ts", "/../main.ts", "/..%2fmain.ts"],
    ...["/%", "/%zz", "/%ff", "/%00", "/\\v1\\blocks", "/__proto__", "/constructor", "/*", "/:id"],
  ];
  // The page of `GET /` is another matter; these are posted.
  return targets.filter((target) => target !== "/").map((target) =>
    fault(target, {
      stage: "route",
      code: "route_not_found",
      spoil: (draft) => void (draft.target = target),
    })
  );
}

function methodFaults(): Fault[] {
  const methods = ["PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "BREW", "post", "Post", "POSTS"];
  return methods.map((method) =>
    fault(`method ${method}`, {
      stage: "method",
      code: "method_not_allowed",
      spoil: (draft) => void (draft.method = method),
    })
  );
}

function sizeFaults(): Fault[] {
  const announced = [`${MAX_BODY_BYTES + 1}`, "9007199254740993", "18446744073709551614"];
  return [
    ...announced.map((count) =>
      fault(`Content-Length: ${count}`, {
        stage: "size",
        code: "request_too_large",
        spoil: (draft) => setHeader(draft, "Content-Length", count),
      })
    ),
    fault("long body", {
      stage: "size",
      code: "request_too_large",
      spoil: (draft) =>
        spoilBytes(draft, (body) => {
          const long = new Uint8Array(Math.max(MAX_BODY_BYTES + 1, body.length)).fill(0x20);
          long.set(body);
          return long;
        }),
    }),
  ];
}
