import { assert, assertEquals, assertMatch } from "@std/assert";
import { deadline } from "../support/deadline.ts";
import { encodeRequest, RawConnection, textOf } from "../support/raw_connection.ts";
import { TestServer } from "../support/test_server.ts";

// What is not HTTP, or is not to the end: answered by the runtime, or closed, and no more.

const HOST = "Host: localhost\r\n";
const POST = `POST /v1/blocks HTTP/1.1\r\n${HOST}Content-Type: application/json\r\n`;
const GET = `GET /health HTTP/1.1\r\n${HOST}`;

/** Messages that HTTP itself rejects. */
const REJECTED: Readonly<Record<string, string | Uint8Array>> = {
  "two ways to say where the body ends":
    `${POST}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
  "two lengths": `${POST}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`,
  "a length below 0": `${POST}Content-Length: -1\r\n\r\n{}`,
  "a length in hex": `${POST}Content-Length: 0x2\r\n\r\n{}`,
  "a length beyond 64 bits": `${POST}Content-Length: 99999999999999999999999\r\n\r\n{}`,
  "a header of a megabyte": `${GET}X: ${"a".repeat(1_000_000)}\r\n\r\n`,
  "2000 headers": `${GET}${"X: a\r\n".repeat(2000)}\r\n`,
  "a target of 70 KB": `GET /${"a".repeat(70_000)} HTTP/1.1\r\n${HOST}\r\n`,
  "a target with a space": `GET /a b HTTP/1.1\r\n${HOST}\r\n`,
  "a target that is no path": `GET health HTTP/1.1\r\n${HOST}\r\n`,
  "two hosts": `${GET}Host: evil.example\r\n\r\n`,
  "a header on two lines": `${GET}X: a\r\n b\r\n\r\n`,
  "a space before the colon": `${GET}X : a\r\n\r\n`,
  "a control character in a name": `${GET}X\x01: a\r\n\r\n`,
  "a NUL in a value": `${GET}X: a\0b\r\n\r\n`,
  "a version that is none": `GET /health HTTP/3.7\r\n${HOST}\r\n`,
  "a greeting": "hello there\r\n\r\n",
  "JSON": '{"prompt":"a"}\r\n\r\n',
  "an answer": "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
  "TLS": Uint8Array.of(0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, ...new Uint8Array(32)),
  "NULs": new Uint8Array(1000),
  "noise": Uint8Array.from({ length: 1000 }, (_, i) => 128 + (i * 73) % 128),
};

/** Messages that end too early, or go wrong after their headers: they may have no answer at all. */
const BROKEN: Readonly<Record<string, string>> = {
  "nothing": "",
  "half a line": "GET /hea",
  "half the headers": `GET /health HTTP/1.1\r\nHost: loc`,
  "no empty line": GET,
  "half a body": `${POST}Content-Length: 200\r\n\r\n{"prompt":`,
  "no body": `${POST}Content-Length: 200\r\n\r\n`,
  "half a chunk": `${POST}Transfer-Encoding: chunked\r\n\r\n20\r\n{"prompt":`,
  "no last chunk": `${POST}Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n`,
  "a chunk of no size": `${POST}Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n`,
  "a chunk beyond 64 bits": `${POST}Transfer-Encoding: chunked\r\n\r\n${"f".repeat(17)}\r\n{}\r\n`,
  "a chunk that is longer": `${POST}Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n`,
  "HTTP/2 that breaks off": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0",
  "HTTP/2 with nonsense": `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${"x".repeat(500)}`,
};

Deno.test("what is not HTTP is answered by the runtime or closed, and does no harm", async (t) => {
  await using server = await TestServer.start("--test-step-ms", "0", "--body-timeout-ms", "300");
  const isWell = async () => {
    assertEquals(await (await server.get("/health")).json(), { status: "ok" });
    assertEquals((await server.blocks({ prompt: "ok", max_tokens: 4 })).text, "okok");
  };

  for (const [name, message] of Object.entries(REJECTED)) {
    await t.step(`${name} is rejected, and the connection closed`, async () => {
      using connection = await RawConnection.open(server.address);
      await connection.send(message);
      const { status, headers, body } = await deadline(connection.response(), name);
      assert(status === 400 || status === 431, `${status}`);
      assertEquals([headers.get("connection"), body.length], ["close", 0]);
      assertEquals(await deadline(connection.rest(), name), new Uint8Array());
    });
  }

  for (const [name, message] of Object.entries(BROKEN)) {
    await t.step(`${name} ends the connection`, async () => {
      using connection = await RawConnection.open(server.address);
      await connection.send(message);
      await connection.closeWrite();
      const text = new TextDecoder().decode(await deadline(connection.rest(), name));
      assert(!/^HTTP\/1\.1 [25]/.test(text), text);
    });
  }
  await t.step("the server is well after all of it", isWell);

  await t.step("connections that are dropped in the middle of anything cost nothing", async () => {
    const messages = [...Object.values(REJECTED), ...Object.values(BROKEN), `${POST}\r\n`];
    await Promise.all(messages.map(async (message) => {
      using connection = await RawConnection.open(server.address);
      await connection.send(message);
    }));
    await isWell();
  });

  await t.step("a body that does not come is 408, and the connection is closed", async () => {
    using connection = await RawConnection.open(server.address);
    await connection.send(`${POST}Content-Length: 20\r\n\r\n{`);
    const { status, headers, body } = await deadline(connection.response(), "the refusal");
    assertEquals([status, headers.get("connection")], [408, "close"]);
    const { error } = JSON.parse(textOf(body));
    assertEquals([error.type, error.code], ["timeout_error", "request_timeout"]);
  });

  await t.step("a body in more than 16384 chunks is refused", async () => {
    using connection = await RawConnection.open(server.address);
    const chunks = "1\r\n \r\n".repeat(16_400);
    await connection.send(`${POST}Transfer-Encoding: chunked\r\n\r\n${chunks}2\r\n{}\r\n0\r\n\r\n`);
    const { status, body } = await deadline(connection.response(), "the refusal");
    assertEquals([status, JSON.parse(textOf(body)).error.code], [413, "request_too_large"]);
  });

  await t.step("requests that come all at once are answered in order", async () => {
    using connection = await RawConnection.open(server.address);
    const post = (body: object) =>
      encodeRequest({
        method: "POST",
        target: "/v1/blocks",
        headers: [["Content-Type", "application/json"]],
        body: JSON.stringify(body),
      });
    const messages = Array.from({ length: 10 }, (_, i) => [
      post({ prompt: `${i}`, max_tokens: 3, stream: i % 2 === 0 }),
      encodeRequest({ target: `/v1/models/${i}` }),
    ]).flat();
    await connection.send(new Uint8Array(await new Blob(messages).arrayBuffer()));
    for (let i = 0; i < 10; i += 1) {
      const answer = textOf((await deadline(connection.response(), `answer ${i}`)).body);
      assert(answer.includes(`"text":"${String(i).repeat(3)}"`), answer);
      const refusal = textOf((await deadline(connection.response(), `refusal ${i}`)).body);
      assert(refusal.includes(`The model \\"${i}\\" does not exist`), refusal);
    }
  });

  await t.step("Expect: 100-continue is answered before the body comes", async () => {
    using connection = await RawConnection.open(server.address);
    await connection.send(`${POST}Expect: 100-continue\r\nContent-Length: 16\r\n\r\n`);
    assertEquals((await deadline(connection.response(), "100")).status, 100);
    await connection.send('{"max_tokens":1}');
    assertMatch((await deadline(connection.response(), "200")).head, /^HTTP\/1\.1 200 OK/);
  });

  await t.step("the server is well to the end", isWell);
});
