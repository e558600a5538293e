import { assertEquals, assertMatch } from "@std/assert";
import { errorOf, parseEvents, type TestApp, testApp } from "./support.ts";

const BODY = { prompt: "abcdef", max_tokens: 12 };

/** Reads a stream piece by piece. */
class Reader {
  readonly #reader: ReadableStreamDefaultReader<string>;
  text = "";

  constructor(response: Response) {
    this.#reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Reads until `part` has come, or the end. */
  async readTo(part: string): Promise<string> {
    while (!this.text.includes(part)) {
      const { value, done } = await this.#reader.read();
      if (done) break;
      this.text += value;
    }
    return this.text;
  }

  async leave(): Promise<void> {
    await this.#reader.cancel();
  }
}

/** An app whose engine stops before step `at`, until it is let go. */
function paused(at: number, options: Parameters<typeof testApp>[0] = {}): TestApp & { go(): void } {
  const gate = Promise.withResolvers<void>();
  const beforeStep = (step: number) => step >= at ? gate.promise : undefined;
  return { ...testApp({ ...options, script: { beforeStep } }), go: gate.resolve };
}

/** The first event's id, without its number. */
function generationOf(text: string): string {
  return /id: (blk_[^.]+)\.0\n/.exec(text)![1]!;
}

function attach(app: TestApp, id: string, lastEventId?: string): Promise<Response> {
  const headers = lastEventId === undefined ? {} : { "last-event-id": lastEventId };
  return app.send(`/v1/blocks/${id}`, { headers });
}

async function refusal(response: Response): Promise<(string | number)[]> {
  return [response.status, (await errorOf(response)).code];
}

Deno.test("a finished generation is replayed from its start, or after the event seen", async () => {
  const app = testApp();
  const whole = await (await app.post(BODY)).text();
  const id = generationOf(whole);
  assertEquals(await (await attach(app, id)).text(), whole);
  const rest = await (await attach(app, id, `${id}.1`)).text();
  assertEquals(parseEvents(rest), parseEvents(whole).slice(2));
  assertMatch(rest, /^retry: 2000\n\nevent: block\n/);
});

Deno.test("a client comes back by GET with a query, by POST, or by a parameter", async () => {
  const app = testApp();
  const whole = await (await app.post(BODY)).text();
  const id = generationOf(whole);
  const seen = { "last-event-id": `${id}.2` };
  const ways: [string, RequestInit][] = [
    ["/v1/blocks?prompt=abcdef&max_tokens=12", { headers: seen }],
    ["/v1/blocks", { method: "POST", headers: seen, body: "not looked at" }],
    [`/v1/blocks?last_event_id=${id}.2`, {}],
    [`/v1/blocks/${id}?last_event_id=${id}.2`, {}],
  ];
  for (const [path, init] of ways) {
    const text = await (await app.send(path, init)).text();
    assertEquals(parseEvents(text), parseEvents(whole).slice(3));
  }
  assertEquals(app.engine.submitted.length, 1);
});

Deno.test("a reader that comes back gets what it missed and then what happens", async () => {
  const app = paused(6);
  const first = new Reader(await app.post({ ...BODY, trace: true }));
  const begun = await first.readTo('"step":2,"nfe":2,"tokens":[101');
  const id = generationOf(begun);
  await first.leave();
  const second = new Reader(await attach(app, id, `${id}.0`));
  await second.readTo("event: block");
  // Steps are not replayed.
  assertEquals(parseEvents(second.text).map(({ event }) => event), ["block"]);
  app.go();
  const events = parseEvents(await second.readTo("event: done"));
  assertEquals(events.filter(({ event }) => event !== "step").map((each) => each.id), [
    `${id}.1`,
    `${id}.2`,
    `${id}.3`,
    `${id}.4`,
  ]);
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode("abcdefabcdef"));
  assertEquals(events.at(-1)!.data.text_sha256, new Uint8Array(digest).toHex());
});

Deno.test("a second reader takes over, and the first stream ends without a final event", async () => {
  const app = paused(6);
  const first = new Reader(await app.post(BODY));
  const id = generationOf(await first.readTo("event: block"));
  const second = new Reader(await attach(app, id, `${id}.1`));
  assertEquals((await first.readTo("event: done")).includes("event: done"), false);
  app.go();
  assertEquals(parseEvents(await second.readTo("event: done")).map((each) => each.id), [
    `${id}.2`,
    `${id}.3`,
    `${id}.4`,
  ]);
  assertEquals(app.engine.cancelled, 0);
});

Deno.test("a client that saw the final event gets 204", async () => {
  const app = testApp();
  const id = generationOf(await (await app.post(BODY)).text());
  const response = await attach(app, id, `${id}.4`);
  assertEquals([response.status, await response.text()], [204, ""]);
});

Deno.test("event ids that are malformed, of another stream or ahead of it are refused", async () => {
  const app = paused(6);
  const reader = new Reader(await app.post(BODY));
  const id = generationOf(await reader.readTo("event: block"));
  const other = `blk_${"A".repeat(22)}`;
  for (const bad of ["", "1", id, `${id}.`, `${id}.-1`, `${id}.01`, `${id}.1e3`, `${id}.2 `]) {
    if (bad.trim() !== bad) continue; // Headers are trimmed before anybody sees them.
    assertEquals(await refusal(await attach(app, id, bad)), [400, "invalid_last_event_id"]);
  }
  assertEquals(await refusal(await attach(app, id, `${other}.1`)), [400, "invalid_last_event_id"]);
  assertEquals(await refusal(await attach(app, id, `${id}.2`)), [400, "invalid_last_event_id"]);
  assertEquals(await refusal(await attach(app, other)), [404, "generation_not_found"]);
  assertEquals(await refusal(await attach(app, other, `${other}.1`)), [
    404,
    "generation_not_found",
  ]);
  app.go();
  await reader.readTo("event: done");
});

Deno.test("only the key that made a generation finds it", async () => {
  const app = testApp({ settings: { apiKeys: ["one", "two"] } });
  const as = (key: string) => ({ authorization: `Bearer ${key}` });
  const headers = { ...as("one"), "content-type": "application/json" };
  const body = JSON.stringify(BODY);
  const made = await app.send("/v1/blocks", { method: "POST", headers, body });
  const id = generationOf(await made.text());
  for (const method of ["GET", "DELETE"]) {
    const response = await app.send(`/v1/blocks/${id}`, { method, headers: as("two") });
    assertEquals(await refusal(response), [404, "generation_not_found"]);
  }
  const mine = await app.send(`/v1/blocks/${id}`, { headers: as("one") });
  assertEquals(parseEvents(await mine.text()).at(-1)!.event, "done");
});

Deno.test("DELETE ends what runs as cancelled, and forgets what is over", async () => {
  const app = paused(6);
  const reader = new Reader(await app.post(BODY));
  const id = generationOf(await reader.readTo("event: block"));
  const remove = () => app.send(`/v1/blocks/${id}`, { method: "DELETE" });
  assertEquals((await remove()).status, 204);
  const { data } = parseEvents(await reader.readTo("event: done")).at(-1)!;
  assertEquals([data.finish_reason, data.stop_reason, data.blocks], ["cancelled", "cancelled", 1]);
  assertEquals((await remove()).status, 204);
  assertEquals(await refusal(await remove()), [404, "generation_not_found"]);
  assertEquals(await refusal(await attach(app, id)), [404, "generation_not_found"]);
});

Deno.test("a generation that nobody comes back to is cancelled after resume_ms", async () => {
  const app = paused(6);
  const reader = new Reader(await app.post({ ...BODY, resume_ms: 1 }));
  const id = generationOf(await reader.readTo("event: block"));
  await reader.leave();
  await app.engine.idle;
  assertEquals(app.engine.cancelled, 1);
  // It is kept for a second all the same, for whoever wants to know what became of it.
  const { data } = parseEvents(await (await attach(app, id, `${id}.1`)).text()).at(-1)!;
  assertEquals(data.finish_reason, "cancelled");
});

Deno.test("with resume_ms 0 a client that leaves ends its generation at once, for good", async () => {
  const app = paused(6);
  const reader = new Reader(await app.post({ ...BODY, resume_ms: 0 }));
  const id = generationOf(await reader.readTo("event: block"));
  await reader.leave();
  await app.engine.idle;
  assertEquals(app.engine.cancelled, 1);
  assertEquals(await refusal(await attach(app, id)), [404, "generation_not_found"]);
});

Deno.test("the oldest of too many finished generations is forgotten", async () => {
  const app = testApp({ settings: { maxRetained: 2 } });
  const ids: string[] = [];
  for (let i = 0; i < 3; i += 1) ids.push(generationOf(await (await app.post(BODY)).text()));
  const states = await Promise.all(ids.map(async (id) => (await attach(app, id)).status));
  assertEquals(states, [404, 200, 200]);
});

Deno.test("a failure is replayed like everything else", async () => {
  const script = {
    beforeStep: (step: number) => step === 6 ? Promise.reject(new Error("secret")) : undefined,
  };
  const app = testApp({ script });
  const whole = await (await app.post(BODY)).text();
  const id = generationOf(whole);
  const last = parseEvents(whole).at(-1)!;
  assertEquals([last.event, last.id, last.data.error.code], ["error", `${id}.2`, "internal_error"]);
  assertEquals(
    await (await attach(app, id, `${id}.0`)).text(),
    whole.replace(/event: start.*\n.*\n.*\n\n/, ""),
  );
  assertEquals((await attach(app, id, `${id}.2`)).status, 204);
});
