import { assert, assertEquals } from "@std/assert";
import { errorOf, parseEvents, testApp } from "./support.ts";

/** To six digits, as numbers of this kind are told. */
const ln = (value: number) => Number(Math.log(value).toPrecision(6));

/** The scripted engine holds 1 / (place + 2) of the token at a place, and e less of each next one. */
const LOGPROBS = [-ln(2), -ln(3), -ln(4), -ln(5)];

Deno.test("a block tells what was asked of its tokens, in the order of the request's fields", async () => {
  const asked = { logprobs: true, step_map: true, confidence: true, entropy: true };
  const { post } = testApp();
  const events = parseEvents(
    await (await post({ prompt: "ab", max_tokens: 6, ...asked, top_logprobs: 2 })).text(),
  );
  const [first, second] = events.filter(({ event }) => event === "block").map(({ data }) => data);
  assertEquals(first.tokens, [97, 98, 97, 98]);
  assertEquals(first.logprobs, LOGPROBS);
  assertEquals(first.top_logprobs[1], [
    { token: 98, piece: "b", logprob: -ln(3) },
    { token: 99, piece: "c", logprob: Number((-Math.log(3) - 1).toPrecision(6)) },
  ]);
  assertEquals(first.top_logprobs.length, 4);
  assertEquals(first.step_map, [1, 2, 3, 4]);
  assertEquals(first.confidence, [0.5, 0.3333, 0.25, 0.2]);
  assertEquals(first.entropy, [0, 0.25, 0.5, 0.75]);
  assertEquals([second.tokens, second.logprobs], [[97, 98], LOGPROBS.slice(0, 2)]);
});

for (
  const [field, keys, engine] of [
    ["logprobs", ["logprobs"], { isDetailed: true, tellsReveals: true }],
    ["step_map", ["step_map"], { tellsReveals: true }],
    ["confidence", ["confidence"], { tellsReveals: true }],
    ["entropy", ["entropy"], { isDetailed: true, tellsReveals: true }],
  ] as const
) {
  Deno.test(`${field} alone brings itself alone, and asks no more of the engine`, async () => {
    const { post, engine: { submitted } } = testApp();
    const body = { prompt: "ab", max_tokens: 4, stream: false };
    const plain = await (await post(body)).json();
    const told = await (await post({ ...body, [field]: true })).json();
    const added = Object.keys(told.blocks[0]).filter((key) => !(key in plain.blocks[0]));
    assertEquals(added, [...keys]);
    const { isDetailed, tellsReveals } = submitted[1]!;
    assertEquals(
      { ...(isDetailed && { isDetailed }), ...(tellsReveals && { tellsReveals }) },
      engine,
    );
    assert(!("isDetailed" in submitted[0]!) && !("tellsReveals" in submitted[0]!));
  });
}

Deno.test("steps of a trace tell of the tokens that they reveal", async () => {
  const { post } = testApp();
  const body = { prompt: "ab", max_tokens: 2, trace: true, logprobs: true, entropy: true };
  const events = parseEvents(await (await post({ ...body, top_logprobs: 1 })).text());
  const steps = events.filter(({ event }) => event === "step").map(({ data }) => data);
  assertEquals(
    steps.map(({ revealed, logprobs, entropy, top_logprobs }) => ({
      revealed,
      logprobs,
      entropy,
      top_logprobs,
    })),
    [
      {
        revealed: [0],
        logprobs: [-ln(2)],
        entropy: [0],
        top_logprobs: [[{ token: 97, piece: "a", logprob: -ln(2) }]],
      },
      {
        revealed: [1],
        logprobs: [-ln(3)],
        entropy: [0.25],
        top_logprobs: [[{ token: 98, piece: "b", logprob: -ln(3) }]],
      },
    ],
  );
});

Deno.test("a stop string cuts what is told of tokens as it cuts the tokens", async () => {
  const { post } = testApp();
  const asked = {
    logprobs: true,
    top_logprobs: 1,
    step_map: true,
    confidence: true,
    entropy: true,
  };
  const body = { prompt: "abc", max_tokens: 12, stop: "bca", stream: false, ...asked };
  const { blocks } = await (await post(body)).json();
  // "abca", where "bca" ends: the block before it is whole, and so is this one; then "bc" and "a".
  const lengths = blocks.map((block: Record<string, unknown[]>) =>
    ["tokens", "logprobs", "top_logprobs", "step_map", "confidence", "entropy"].map((name) =>
      block[name]!.length
    )
  );
  assertEquals(lengths, [Array(6).fill(4)]);
  const short = await (await post({ ...body, stop: "bc" })).json();
  assertEquals(short.blocks[0].tokens, [97, 98, 99]);
  assertEquals(short.blocks[0].logprobs, LOGPROBS.slice(0, 3));
  assertEquals(short.blocks[0].step_map, [1, 2, 3]);
});

Deno.test("who comes back is told the same of tokens", async () => {
  const { post, send } = testApp();
  const body = { prompt: "ab", max_tokens: 8, logprobs: true, top_logprobs: 5, step_map: true };
  const events = parseEvents(await (await post(body)).text());
  const { id } = events[0]!.data;
  const again = parseEvents(await (await send(`/v1/blocks/${id}`)).text());
  assertEquals(again, events);
  assert(events[1]!.data.logprobs.length === 4);
});

Deno.test("GET /v1/blocks tells the same of tokens as POST", async () => {
  const { post, send } = testApp({ nowMs: () => 0 });
  const query =
    "prompt=ab&max_tokens=4&seed=1&stream=false&logprobs=true&top_logprobs=1&entropy=true";
  const { blocks } = await (await send(`/v1/blocks?${query}`)).json();
  const body = { prompt: "ab", max_tokens: 4, seed: 1, stream: false };
  const posted = await post({ ...body, logprobs: true, top_logprobs: 1, entropy: true });
  assertEquals(blocks, (await posted.json()).blocks);
  assertEquals(blocks[0].entropy, [0, 0.25, 0.5, 0.75]);
});

Deno.test("alternatives to no probability are refused before the model is looked up", async () => {
  const { post } = testApp();
  for (const path of ["/v1/blocks", "/v1/chat/completions"]) {
    const messages = [{ role: "user", content: "a" }];
    const body = path === "/v1/blocks" ? {} : { messages };
    const error = await errorOf(await post({ model: "none", top_logprobs: 1, ...body }, path));
    assertEquals([error.code, error.param], ["incompatible_parameters", "top_logprobs"]);
  }
});
