import { assertEquals, assertNotEquals } from "@std/assert";
import { parseEvents, testApp } from "./support.ts";

/** SHA-256 of "hihihi", computed with sha256sum. */
const SHA_HIHIHI = "f42ff50167e9c6cc7e45a597368484d622fcd95aae12d3704b647023648bec9e";

/** The same id, time and seed for every request. */
const fixed = { nowMs: () => 1_760_000_000_500, randomBytes: (n: number) => new Uint8Array(n) };
const ID = `blk_${"A".repeat(22)}`;

Deno.test("POST /v1/blocks streams start, one event per block, then done, byte for byte", async () => {
  const { post } = testApp(fixed);
  const response = await post({ prompt: "hi", max_tokens: 6, seed: 7 });
  assertEquals(response.status, 200);
  const { headers } = response;
  assertEquals(headers.get("content-type"), "text/event-stream; charset=utf-8");
  assertEquals(headers.get("cache-control"), "no-store, no-transform");
  assertEquals(headers.get("x-accel-buffering"), "no");
  const fingerprint = "bd-152fc9f42837";
  assertEquals(
    await response.text(),
    `retry: 2000

event: start
id: ${ID}.0
data: {"id":"${ID}","object":"blocks.start","created":1760000000,"model":"test-copy","seed":7,` +
      `"prompt_tokens":2,"max_tokens":6,"queue_position":0,"params":{"block_size":4,` +
      `"strategy":"first_hitting","steps":null,"threshold":null,"entropy_bound":null,` +
      `"temperature":1,"top_p":1,"top_k":0},"resume_ms":10000,` +
      `"system_fingerprint":"${fingerprint}"}

event: block
id: ${ID}.1
data: {"index":0,"position":2,"tokens":[104,105,104,105],"text":"hihi","steps":4,"nfe":4,"ms":1.5}

event: block
id: ${ID}.2
data: {"index":1,"position":6,"tokens":[104,105],"text":"hi","steps":2,"nfe":2,"ms":1.5}

event: done
id: ${ID}.3
data: {"finish_reason":"length","stop_reason":"length","stop":null,"usage":{"prompt_tokens":2,` +
      `"completion_tokens":6,"total_tokens":8},"blocks":2,"steps":6,"nfe":6,"passes":7,` +
      `"text_sha256":"${SHA_HIHIHI}","timings":{"queue_ms":0,"first_block_ms":0,"generate_ms":0,` +
      `"total_ms":0,"tokens_per_second":0}}

`,
  );
});

Deno.test("POST /v1/blocks with stream false answers with one object", async () => {
  const { post } = testApp(fixed);
  const body = { prompt: "hi", max_tokens: 6, seed: 7 };
  const events = parseEvents(await (await post(body)).text());
  const response = await post({ ...body, stream: false });
  assertEquals(response.headers.get("content-type"), "application/json; charset=utf-8");
  assertEquals(await response.json(), {
    ...events.at(0)!.data,
    ...events.at(-1)!.data,
    object: "blocks",
    text: "hihihi",
    blocks: events.slice(1, -1).map(({ data }) => data),
  });
});

Deno.test("GET /v1/blocks is the same request", async () => {
  const { post, send } = testApp(fixed);
  const body = { prompt: "hé & +", max_tokens: 6, temperature: 0.5, trace: true, stop: ["a", "b"] };
  const query = "prompt=h%C3%A9+%26%20%2B&max_tokens=6&temperature=0.5&trace=true&stop=a&stop=b";
  assertEquals(await (await send(`/v1/blocks?${query}`)).text(), await (await post(body)).text());
});

Deno.test("the engine is asked for what the request says, defaults filled in", async () => {
  const { post, engine } = testApp();
  await (await post({})).text();
  const { seed, ...first } = engine.submitted[0]!;
  assertEquals(first, {
    prompt: [],
    maxTokens: 256,
    blockSize: 4,
    strategy: { strategy: "first_hitting" },
    temperature: 1,
    topP: 1,
    topK: 0,
    choice: 0,
    stopTokens: [257],
    minEntropy: 0,
    trace: false,
  });
  assertEquals(Number.isSafeInteger(seed) && seed >= 0, true);
  await (await post({
    prompt: [1, 2],
    max_tokens: 3,
    block_size: 8,
    strategy: "low_confidence_dynamic",
    threshold: 0.5,
    steps: 2,
    temperature: 0,
    top_p: 0.25,
    top_k: 5,
    seed: 9,
    ignore_eos: true,
    min_entropy: 0.5,
    trace: true,
  })).text();
  assertEquals(engine.submitted[1], {
    prompt: [1, 2],
    maxTokens: 3,
    blockSize: 8,
    strategy: { strategy: "low_confidence_dynamic", threshold: 0.5, steps: 2 },
    temperature: 0,
    topP: 0.25,
    topK: 5,
    seed: 9,
    choice: 0,
    stopTokens: [],
    minEntropy: 0.5,
    trace: true,
  });
});

Deno.test("sub_block_size is a divisor of the block, and the model's where it is left out", async () => {
  const shifting = testApp({ script: { model: { defaultSubBlockSize: 8 } } });
  const plain = testApp();
  const asked = [{}, { block_size: 8 }, { block_size: 16 }, { block_size: 32, sub_block_size: 4 }];
  for (const fields of asked) {
    for (const { post } of [shifting, plain]) {
      await (await post({ max_tokens: 1, ...fields })).text();
    }
  }
  const sizes = (app: typeof plain) =>
    app.engine.submitted.map(({ blockSize, subBlockSize }) => [blockSize, subBlockSize]);
  // A block of 4 or 8 has no smaller part of 8.
  assertEquals(sizes(shifting), [[4, undefined], [8, undefined], [16, 8], [32, 4]]);
  assertEquals(sizes(plain), [[4, undefined], [8, undefined], [16, undefined], [32, 4]]);
  const [start] = parseEvents(
    await (await plain.post({ max_tokens: 1, sub_block_size: 2 })).text(),
  );
  assertEquals(start!.data.params.sub_block_size, 2);
  for (const size of [0, 3, 8, -1]) {
    const response = await plain.post({ sub_block_size: size });
    const { error: { code, param, message } } = await response.json();
    assertEquals([response.status, code, param], [400, "invalid_value", "sub_block_size"]);
    assertEquals(message, `sub_block_size must be a divisor of block_size, 4, got ${size}`);
  }
});

Deno.test("a seed that is not given is drawn afresh and reported", async () => {
  const { post, engine } = testApp();
  const seeds = [];
  for (let i = 0; i < 2; i += 1) {
    const [start] = parseEvents(await (await post({ max_tokens: 1 })).text());
    seeds.push(start!.data.seed);
  }
  assertNotEquals(seeds[0], seeds[1]);
  assertEquals(engine.submitted.map(({ seed }) => seed), seeds);
  const { post: postHighest } = testApp({ randomBytes: (n) => new Uint8Array(n).fill(255) });
  const [start] = parseEvents(await (await postHighest({ max_tokens: 1 })).text());
  assertEquals(start!.data.seed, Number.MAX_SAFE_INTEGER);
});

Deno.test("params report the strategy's options, null where it has none", async () => {
  const { post } = testApp();
  const params = async (fields: object) => {
    const [start] = parseEvents(await (await post({ max_tokens: 1, ...fields })).text());
    const { steps, threshold, entropy_bound } = start!.data.params;
    return [steps, threshold, entropy_bound];
  };
  assertEquals(await params({ strategy: "ancestral" }), [128, null, null]);
  assertEquals(await params({ strategy: "sequential" }), [null, null, null]);
  assertEquals(await params({ strategy: "low_confidence_dynamic" }), [null, 0.9, null]);
  assertEquals(await params({ strategy: "entropy_bounded", steps: 3 }), [3, null, 0.35]);
});

Deno.test("BOS comes before every prompt that does not begin with it as a token", async () => {
  const { post, engine } = testApp({ script: { model: { bosToken: 256 } } });
  for (const prompt of ["", "a", [7], [256, 7], []]) {
    const [start] = parseEvents(await (await post({ prompt, max_tokens: 1 })).text());
    assertEquals(start!.data.prompt_tokens, engine.submitted.at(-1)!.prompt.length);
  }
  assertEquals(engine.submitted.map(({ prompt }) => prompt), [
    [256],
    [256, 97],
    [256, 7],
    [256, 7],
    [256],
  ]);
});

Deno.test("max_tokens defaults to 256 or what still fits, and slide goes past the context", async () => {
  const { post, engine } = testApp();
  const prompt = new Array(4000).fill(97);
  await (await post({ prompt, stream: false })).json();
  await (await post({ prompt, stream: false, overflow: "slide" })).json();
  await (await post({ prompt: [97], stream: false, overflow: "slide", max_tokens: 5000 })).json();
  assertEquals(engine.submitted.map(({ maxTokens }) => maxTokens), [96, 256, 5000]);
});

Deno.test("trace adds one step event per denoising step before its block", async () => {
  const { post } = testApp();
  const events = parseEvents(
    await (await post({ prompt: "é", max_tokens: 3, block_size: 2, trace: true })).text(),
  );
  assertEquals(events.map(({ event }) => event), [
    "start",
    "step",
    "step",
    "block",
    "step",
    "block",
    "done",
  ]);
  assertEquals(events[1]!.id, null);
  // One third, to four digits.
  assertEquals(events[2]!.data.confidence, [0.3333]);
  assertEquals(events[1]!.data, {
    block: 0,
    step: 1,
    nfe: 1,
    tokens: [195, null],
    pieces: ["\uFFFD", null],
    revealed: [0],
    confidence: [0.5],
  });
});

Deno.test("text of an unfinished character comes with its end, or with the last block", async () => {
  const { post } = testApp();
  const events = parseEvents(
    await (await post({ prompt: "éé", max_tokens: 7, block_size: 1 })).text(),
  );
  const texts = events.filter(({ event }) => event === "block").map(({ data }) => data.text);
  assertEquals(texts, ["", "é", "", "é", "", "é", "\uFFFD"]);
});

Deno.test("the end token ends the generation, counts, and has no text", async () => {
  const { post } = testApp();
  const { text, usage, ...answer } = await (await post({ prompt: [97, 257, 98], stream: false }))
    .json();
  assertEquals([text, answer.finish_reason, answer.stop_reason], ["a", "stop", "eos"]);
  assertEquals(answer.blocks[0].tokens, [97, 257]);
  assertEquals(usage, { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 });
});

Deno.test("ignore_eos goes on after the end token", async () => {
  const { post } = testApp();
  const fields = { prompt: [97, 257, 98], max_tokens: 6, ignore_eos: true, stream: false };
  const { text, finish_reason } = await (await post(fields)).json();
  assertEquals([text, finish_reason], ["abab", "length"]);
});

Deno.test("a stop string across blocks cuts text and tokens, whatever the block size", async () => {
  const { post, engine } = testApp();
  for (const blockSize of [1, 2, 4, 8, 16, 32]) {
    const events = parseEvents(
      await (await post({
        prompt: "abcdefghij",
        max_tokens: 4000,
        block_size: blockSize,
        stop: ["hij", "efgh"],
      })).text(),
    );
    const blocks = events.filter(({ event }) => event === "block").map(({ data }) => data);
    const { data: done } = events.at(-1)!;
    assertEquals(blocks.map(({ text }) => text).join(""), "abcd");
    assertEquals(blocks.flatMap(({ tokens }) => tokens), [..."abcdefgh"].map(toByte));
    assertEquals([done.finish_reason, done.stop_reason, done.stop], ["stop", "stop", "efgh"]);
    assertEquals(done.usage.completion_tokens, 8);
    assertEquals(done.blocks, blocks.length);
    assertEquals(done.steps, blocks.reduce((sum, { steps }) => sum + steps, 0));
    assertEquals(done.nfe, blocks.reduce((sum, { nfe }) => sum + nfe, 0));
  }
  await engine.idle;
  assertEquals(engine.cancelled, 6);
});

function toByte(character: string): number {
  return character.charCodeAt(0);
}

Deno.test("what might have begun a stop string comes with the last block", async () => {
  const { post } = testApp();
  const fields = { prompt: "abcab", max_tokens: 5, block_size: 4, stop: "abd", stream: false };
  const { blocks, stop } = await (await post(fields)).json();
  assertEquals([stop, blocks[0].text + blocks[1].text], [null, "abcab"]);
  assertEquals(blocks[0].text, "abc");
});

Deno.test("a stop string that only the end of the text completes still counts", async () => {
  const { post } = testApp();
  const fields = { prompt: "aé", max_tokens: 2, stop: "\uFFFD", stream: false };
  const { text, stop, finish_reason, usage } = await (await post(fields)).json();
  assertEquals([text, stop, finish_reason, usage.completion_tokens], ["a", "\uFFFD", "stop", 2]);
});
