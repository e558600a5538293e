import { assertEquals, assertRejects } from "@std/assert";
import { readBytes, readJson } from "../../src/server/body.ts";
import { RequestError } from "../../src/server/errors.ts";
import { errorOf, testApp } from "./support.ts";

const limits = { maxBodyBytes: 100_000, bodyTimeoutMs: 60_000 };

function request(body: BodyInit, headers: Record<string, string> = {}): Request {
  return new Request("http://localhost/", {
    method: "POST",
    body,
    headers: { "content-type": "application/json", ...headers },
  });
}

async function codeOf(reading: Promise<unknown>): Promise<string> {
  const error = await reading.then(() => undefined, (error) => error);
  return error === undefined ? "ok" : error instanceof RequestError ? error.code : String(error);
}

/** A body in `count` pieces of `piece`. */
function pieces(piece: string, count: number): ReadableStream<Uint8Array> {
  const bytes = new TextEncoder().encode(piece);
  let left = count;
  return new ReadableStream({
    pull(controller) {
      if (left === 0) return controller.close();
      left -= 1;
      controller.enqueue(bytes);
    },
  });
}

Deno.test("readJson() takes application/json in UTF-8 and nothing else", async () => {
  const type = (value: string) =>
    codeOf(readJson(request("{}", { "content-type": value }), limits));
  for (
    const good of [
      "application/json",
      "Application/JSON",
      "application/json; charset=utf-8",
      'application/json;charset="UTF-8"',
    ]
  ) {
    assertEquals([good, await type(good)], [good, "ok"]);
  }
  for (
    const bad of [
      "text/plain",
      "text/json",
      "application/jsonx",
      "application/json; charset=latin1",
      "application/json; charset=utf-8; x=y",
      "application/x-www-form-urlencoded",
      "multipart/form-data; boundary=x",
      "application/json, text/plain",
      "application/ld+json",
    ]
  ) {
    assertEquals([bad, await type(bad)], [bad, "unsupported_media_type"]);
  }
  const without = request("{}");
  without.headers.delete("content-type");
  assertEquals(await codeOf(readJson(without, limits)), "unsupported_media_type");
});

Deno.test("readJson() takes only identity as content encoding", async () => {
  const encoding = (value: string) =>
    codeOf(readJson(request("{}", { "content-encoding": value }), limits));
  assertEquals(await encoding("identity"), "ok");
  assertEquals(await encoding("Identity"), "ok");
  for (const bad of ["gzip", "br", "identity, gzip", "utf-8"]) {
    assertEquals([bad, await encoding(bad)], [bad, "unsupported_content_encoding"]);
  }
});

Deno.test("readJson() refuses bytes that are not UTF-8", async () => {
  for (const bytes of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xe2, 0x82]]) {
    const body = Uint8Array.from([0x7b, 0x22, ...bytes, 0x22, 0x3a, 0x31, 0x7d]);
    assertEquals(await codeOf(readJson(request(body), limits)), "invalid_utf8");
  }
});

Deno.test("readJson() ignores a byte order mark and keeps the last of equal keys", async () => {
  assertEquals(await readJson(request('\uFEFF{"a":1,"a":2}'), limits), { a: 2 });
});

Deno.test("readJson() takes 64 levels of nesting, and brackets in strings are none", async () => {
  const nested = (depth: number) => `{"a":${"[".repeat(depth - 1)}${"]".repeat(depth - 1)}}`;
  assertEquals(await codeOf(readJson(request(nested(64)), limits)), "ok");
  assertEquals(await codeOf(readJson(request(nested(65)), limits)), "invalid_json");
  const text = `{"a":"\\"${"[".repeat(100)}"}`;
  assertEquals(await codeOf(readJson(request(text), limits)), "ok");
});

Deno.test("readBytes() refuses a body that announces or has more bytes than allowed", async () => {
  const small = { ...limits, maxBodyBytes: 10 };
  assertEquals((await readBytes(request("0123456789"), small)).length, 10);
  assertEquals(await codeOf(readBytes(request("0123456789a"), small)), "request_too_large");
  const announced = request(pieces("x", 1), { "content-length": "11" });
  assertEquals(await codeOf(readBytes(announced, small)), "request_too_large");
  assertEquals(await codeOf(readBytes(request(pieces("ab", 6)), small)), "request_too_large");
});

Deno.test("readBytes() joins pieces and refuses more than 16384 of them", async () => {
  const bytes = await readBytes(request(pieces("abc", 16_384)), limits);
  assertEquals(new TextDecoder().decode(bytes), "abc".repeat(16_384));
  assertEquals(await codeOf(readBytes(request(pieces("a", 16_385)), limits)), "request_too_large");
  assertEquals(await codeOf(readBytes(request(pieces("", 16_385)), limits)), "request_too_large");
});

Deno.test("readBytes() gives up on a body that does not come", async () => {
  const left = Promise.withResolvers<void>();
  const silent = new ReadableStream<Uint8Array>({ cancel: () => left.resolve() });
  const error = await assertRejects(
    () => readBytes(request(silent), { ...limits, bodyTimeoutMs: 1 }),
    RequestError,
  ) as unknown as RequestError;
  assertEquals([error.status, error.code], [408, "request_timeout"]);
  assertEquals(error.headers, { Connection: "close" });
  await left.promise;
});

Deno.test("readBytes() refuses a body that breaks off", async () => {
  const broken = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.error(new TypeError("connection reset")),
  });
  assertEquals(await codeOf(readBytes(request(broken), limits)), "invalid_json");
});

Deno.test("the media type is checked before the size, the size before the JSON", async () => {
  const { send } = testApp({ settings: { maxBodyBytes: 4 } });
  const post = async (contentType: string, body: string) => {
    const headers = { "content-type": contentType };
    return (await errorOf(await send("/v1/blocks", { method: "POST", headers, body }))).code;
  };
  assertEquals(await post("text/plain", "too long"), "unsupported_media_type");
  assertEquals(await post("application/json", "{{{{{"), "request_too_large");
  assertEquals(await post("application/json", "{{{{"), "invalid_json");
});
