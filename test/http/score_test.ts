import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { metric } from "../support/metrics.ts";
import { OpenStream, until } from "../support/open_stream.ts";
import { connectRaw, postText } from "../support/raw_http.ts";
import { TestServer } from "../support/test_server.ts";

const STORY = "Once upon a time, there was a little girl named Lily. She loved to play outside.";

async function score(server: TestServer, body: object) {
  const response = await server.post("/v1/score", body);
  const answer = await response.json();
  assertEquals({ status: response.status, answer }, { status: 200, answer });
  return answer;
}

Deno.test("every token of the test model has probability one half", async () => {
  await using server = await TestServer.start();
  const { data, usage, model } = await score(server, {
    ...{ input: ["abc", [1, 2]], context: "x", samples: 5, block_size: 1 },
  });
  const shared = { nelbo_per_token: Math.LN2, stderr: 0, perplexity: Math.exp(Math.LN2) };
  assertEquals(data, [
    { index: 0, tokens: 3, nelbo: 3 * Math.LN2, ...shared, exact: false },
    { index: 1, tokens: 2, nelbo: 2 * Math.LN2, ...shared, exact: false },
  ]);
  assertEquals([usage, model], [{ prompt_tokens: 7, total_tokens: 7 }, "test-copy"]);
  const { data: [{ capabilities }] } = await (await server.get("/v1/models")).json();
  assertEquals(capabilities.score, true);
});

Deno.test("the shipped model finds its own register likely, the same at every time", async () => {
  await using server = await TestServer.startWithDevice("--max-concurrent", "2");
  const asked = { input: [STORY, "Zw qk xj vf"], samples: 4, seed: 5 };
  const { data, seed } = await score(server, asked);
  const [story, noise] = data;
  // On stories the model's bound is 9; bytes without sense are hundreds.
  assert(story.perplexity > 1 && story.perplexity < 60, `perplexity ${story.perplexity}`);
  assert(noise.perplexity > 4 * story.perplexity, `perplexity ${noise.perplexity}`);
  assert(story.stderr > 0 && story.stderr < story.nelbo, `error ${story.stderr}`);
  assertAlmostEquals(story.nelbo_per_token, story.nelbo / story.tokens, 1e-12);
  assertEquals([seed, story.exact], [5, false]);

  // The same beside streams, alone in its request, and after others.
  const streams = await Promise.all(
    [1, 2].map(() =>
      OpenStream.open(server, {
        prompt: "One day",
        max_tokens: 200,
        ignore_eos: true,
        resume_ms: 0,
      })
    ),
  );
  assertEquals((await score(server, asked)).data, data);
  const [alone] = (await score(server, { ...asked, input: noise ? asked.input[1] : "" })).data;
  assertEquals({ ...alone, index: 1 }, noise);
  for (const each of streams) await each.leave();
  assert((await score(server, { ...asked, seed: 6 })).data[0].nelbo !== story.nelbo);
});

Deno.test("the likelihood of a text is that of its parts, where the bound is exact", async () => {
  await using server = await TestServer.startWithDevice();
  const exact = { block_size: 1, samples: 9 };
  const { data: [whole] } = await score(server, { ...exact, input: STORY });
  assertEquals([whole.exact, whole.stderr], [true, 0]);
  const { tokens } = await (await server.post("/tokenize", { text: STORY })).json();
  assertEquals(whole.tokens, tokens.length);
  for (const cut of [1, 7, tokens.length - 1]) {
    const [context, rest] = [tokens.slice(0, cut), tokens.slice(cut)];
    const { data: [first] } = await score(server, { ...exact, input: context });
    const { data: [second], usage } = await score(server, { ...exact, input: rest, context });
    assertEquals(first.tokens + second.tokens, whole.tokens);
    assertAlmostEquals(first.nelbo + second.nelbo, whole.nelbo, 1e-6 * whole.nelbo);
    // With a BOS.
    assertEquals(usage.prompt_tokens, tokens.length + 1);
  }
});

Deno.test("streams go on beside a long scoring, whose client may leave", async () => {
  await using server = await TestServer.startWithDevice("--max-queue", "0");
  // Many tokens in few bytes: the runtime does not notice that the client of a larger request leaves.
  const long = { input: "~Z".repeat(110), samples: 64 };
  const client = await connectRaw(server.address, postText("/v1/score", long));
  // One at a time, and none may wait.
  const refused = await until(429, () => server.post("/v1/score", { input: "a" }));
  assertEquals((await refused.json()).error.code, "queue_full");
  const { last, tokens } = await server.blocks({
    prompt: "Once",
    max_tokens: 40,
    ignore_eos: true,
  });
  assertEquals([last.event, tokens.length], ["done", 40]);
  client.close();
  // The place is free as soon as the pass under way is over.
  const answer = await until(200, () => server.post("/v1/score", { input: "a" }));
  assertEquals((await answer.json()).object, "score");
  // It did not come to its end.
  const left = { route: "/v1/score", status: "499" };
  assertEquals(await metric(server, "bd_http_requests_total", left), 1);
});
