import { assert, assertAlmostEquals, assertEquals, assertStringIncludes } from "@std/assert";
import { BusyError, SequenceError } from "../../src/engine/request.ts";
import type { ScoreRequest, Scoring, TextScore } from "../../src/engine/score.ts";
import { readExposition } from "../support/prometheus.ts";
import type { Script } from "../support/scripted_engine.ts";
import { errorOf, testApp } from "./support.ts";

const PATH = "/v1/score";
/** The byte model with a BOS of its own. */
const WITH_BOS = { model: { bosToken: 256 } } satisfies Script;

/** The answer to a request, which must be 200. */
async function score(body: object, script: Script = {}) {
  const app = testApp({ script });
  const response = await app.post(body, PATH);
  const data = await response.json();
  assertEquals({ status: response.status, data }, { status: 200, data });
  return { data, asked: app.engine.scored[0]! };
}

/** The texts that the engine is asked about. */
async function asked(body: object, script: Script = {}): Promise<ScoreRequest["texts"]> {
  return (await score(body, script)).asked.texts;
}

/** An engine that gives these scores. */
function scoring(...scores: TextScore[]): Script {
  return { scoring: () => ({ scores: Promise.resolve(scores), cancel() {} }) };
}

Deno.test("POST /v1/score answers with the bound of a text", async () => {
  const { data, asked } = await score({ input: "abcd", seed: 7, samples: 3, block_size: 2 });
  assertEquals(data, {
    object: "score",
    model: "test-copy",
    seed: 7,
    data: [{
      index: 0,
      tokens: 4,
      nelbo: 4 * Math.LN2,
      nelbo_per_token: Math.LN2,
      stderr: 0,
      perplexity: Math.exp(Math.LN2),
      exact: false,
    }],
    usage: { prompt_tokens: 4, total_tokens: 4 },
  });
  const texts = [{ tokens: [97, 98, 99, 100], given: 0 }];
  assertEquals(asked, { texts, blockSize: 2, samples: 3, seed: 7, byToken: false });
});

Deno.test("POST /v1/score fills in what is left out, and reports the seed it picks", async () => {
  const one = await score({ input: "a", context: null, samples: null, seed: null });
  const other = await score({ input: "a" });
  assertEquals([one.asked.blockSize, one.asked.samples], [4, 1]);
  assertEquals(one.data.seed, one.asked.seed);
  assert(Number.isSafeInteger(one.data.seed) && one.data.seed >= 0);
  assert(one.data.seed !== other.data.seed);
});

Deno.test("POST /v1/score passes on what the engine found", async () => {
  const scores = [
    { tokens: 12, nelbo: 45.1, error: 0.2, isExact: false },
    { tokens: 2, nelbo: 1, error: 0, isExact: true },
    { tokens: 1, nelbo: 1e6, error: 0, isExact: false },
  ];
  const { data: { data } } = await score({ input: ["a", "b", "c"] }, scoring(...scores));
  const [first, second, third] = data;
  assertEquals([first.index, first.stderr, first.exact], [0, 0.2, false]);
  assertAlmostEquals(first.nelbo_per_token, 45.1 / 12, 1e-12);
  assertAlmostEquals(first.perplexity, Math.exp(45.1 / 12), 1e-9);
  assertEquals([second.index, second.tokens, second.exact], [1, 2, true]);
  // JSON knows no infinity.
  assertEquals([third.index, third.perplexity], [2, Number.MAX_VALUE]);
});

Deno.test("POST /v1/score tells of every scored token where that is asked for", async () => {
  const scores = [
    { tokens: 2, nelbo: 3.5, error: 0, isExact: false, byToken: [1.25, 2.25] },
    { tokens: 1, nelbo: 0, error: 0, isExact: true, byToken: [0] },
  ];
  // What the BOS and the context have is not told; a special token has no text.
  const body = { input: ["é", [257]], context: "ab", details: true };
  const { data, asked } = await score(body, { ...WITH_BOS, ...scoring(...scores) });
  assertEquals(asked.byToken, true);
  const [first, second] = data.data;
  assertEquals([first.token_ids, first.token_nelbo], [[195, 169], [1.25, 2.25]]);
  assertEquals(first.pieces, ["\uFFFD", "\uFFFD"]);
  assertEquals([second.token_ids, second.token_nelbo, second.pieces], [[257], [0], [""]]);
});

Deno.test("POST /v1/score feeds inputs after the context, and scores the inputs alone", async () => {
  const [a, b, c] = [97, 98, 99];
  assertEquals(await asked({ input: ["ab", [c], "c"], context: "a" }), [
    { tokens: [a, a, b], given: 1 },
    { tokens: [a, c], given: 1 },
    { tokens: [a, c], given: 1 },
  ]);
  assertEquals(await asked({ input: [a, b], context: [c, c] }), [
    { tokens: [c, c, a, b], given: 2 },
  ]);
  for (const context of ["", []]) {
    assertEquals(await asked({ input: "ab", context }), [{ tokens: [a, b], given: 0 }]);
  }
});

Deno.test("POST /v1/score gives the BOS where the model has one, and never twice", async () => {
  const [a, b] = [97, 98];
  assertEquals(await asked({ input: "ab" }, WITH_BOS), [{ tokens: [256, a, b], given: 1 }]);
  assertEquals(await asked({ input: [256, a] }, WITH_BOS), [{ tokens: [256, a], given: 1 }]);
  assertEquals(await asked({ input: "b", context: "a" }, WITH_BOS), [
    { tokens: [256, a, b], given: 2 },
  ]);
  assertEquals(await asked({ input: "b", context: [256, a] }, WITH_BOS), [
    { tokens: [256, a, b], given: 2 },
  ]);
  // Behind something else it is a token as others are.
  assertEquals(await asked({ input: [256], context: "a" }, WITH_BOS), [
    { tokens: [256, a, 256], given: 2 },
  ]);
  const { data } = await score({ input: ["ab", "b"], context: "a" }, WITH_BOS);
  assertEquals(data.usage, { prompt_tokens: 7, total_tokens: 7 });
});

const REFUSED: readonly [body: object, code: string, param: string | null][] = [
  [{}, "missing_required_parameter", "input"],
  [{ input: null }, "missing_required_parameter", "input"],
  [{ input: "" }, "invalid_value", "input"],
  [{ input: [] }, "invalid_value", "input"],
  [{ input: ["a", ""] }, "invalid_value", "input[1]"],
  [{ input: [[97], []] }, "invalid_value", "input[1]"],
  [{ input: "", context: "a" }, "invalid_value", "input"],
  [{ input: Array(17).fill("a") }, "invalid_value", "input"],
  [{ input: 5 }, "invalid_type", "input"],
  [{ input: [1.5] }, "invalid_value", "input[0]"],
  [{ input: ["a", 5] }, "invalid_type", "input[1]"],
  [{ input: [97, "a"] }, "invalid_type", "input[1]"],
  [{ input: ["a", [97, 0.5]] }, "invalid_value", "input[1][1]"],
  [{ input: [[97], ["a"]] }, "invalid_type", "input[1][0]"],
  [{ input: "a", context: 5 }, "invalid_type", "context"],
  [{ input: "a", context: ["a"] }, "invalid_type", "context[0]"],
  [{ input: "a", samples: 0 }, "invalid_value", "samples"],
  [{ input: "a", samples: 65 }, "invalid_value", "samples"],
  [{ input: "a", samples: "1" }, "invalid_type", "samples"],
  [{ input: "a", seed: -1 }, "invalid_value", "seed"],
  [{ input: "a", details: 1 }, "invalid_type", "details"],
  [{ input: "a", block_size: 3 }, "invalid_value", "block_size"],
  [{ input: "a", block_size: 64 }, "invalid_value", "block_size"],
  [{ input: "a", max_tokens: 4 }, "unknown_parameter", "max_tokens"],
  [{ input: "a", model: "nobody" }, "model_not_found", "model"],
  [{ input: [97, 259] }, "token_out_of_range", "input[1]"],
  [{ input: [258] }, "token_out_of_range", "input[0]"],
  [{ input: ["a", [97, 258]] }, "token_out_of_range", "input[1][1]"],
  [{ input: "a", context: [-1] }, "token_out_of_range", "context[0]"],
  [{ input: "a".repeat(4097) }, "context_length_exceeded", null],
  [{ input: ["a", "aa"], context: "a".repeat(4095) }, "context_length_exceeded", null],
];

for (const [body, code, param] of REFUSED) {
  Deno.test(`POST /v1/score refuses ${JSON.stringify(body).slice(0, 60)}: ${code}`, async () => {
    const { post, engine } = testApp();
    const response = await post(body, PATH);
    const error = await errorOf(response);
    assertEquals([error.code, error.param], [code, param]);
    assertEquals(engine.scored, []);
  });
}

Deno.test("POST /v1/score has nothing to score in a BOS alone", async () => {
  const { post } = testApp({ script: WITH_BOS });
  for (
    const [body, param] of [[{ input: [256] }, "input"], [{ input: ["a", [256]] }, "input[1]"]]
  ) {
    const error = await errorOf(await post(body, PATH));
    assertEquals([error.code, error.param], ["invalid_value", param]);
  }
});

Deno.test("POST /v1/score takes what just fits, and says what does not", async () => {
  const [text] = await asked({ input: "a".repeat(4096) });
  assertEquals(text!.tokens.length, 4096);
  const error = await errorOf(
    await testApp({ script: WITH_BOS }).post({ input: "a".repeat(4096) }, PATH),
  );
  assertEquals(
    error.message,
    "This model's context length is 4096 tokens, but 4097 prompt tokens were requested",
  );
});

Deno.test("POST /v1/score refuses in the order of the contract", async () => {
  // What can never succeed is told so, whatever the engine's state.
  const { post } = testApp({ script: { refusal: new BusyError("queue_full") } });
  assertEquals(
    (await errorOf(await post({ input: "a".repeat(5000) }, PATH))).code,
    "context_length_exceeded",
  );
  const busy = await post({ input: "a" }, PATH);
  assertEquals([busy.status, (await errorOf(busy)).code], [429, "queue_full"]);
  assertEquals(busy.headers.get("retry-after"), "1");
  const { post: later, engine } = testApp();
  engine.status = "draining";
  assertEquals((await errorOf(await later({ input: "a" }, PATH))).code, "draining");
});

/** A scoring that does what it is told. */
class OrderedScoring implements Scoring {
  readonly #scores = Promise.withResolvers<readonly TextScore[] | null>();
  readonly scores = this.#scores.promise;
  cancels = 0;
  /** Whether it ends when it is cancelled. */
  obeys = true;

  fail(error: Error): void {
    this.#scores.reject(error);
  }

  cancel(): void {
    this.cancels += 1;
    if (this.obeys) this.#scores.resolve(null);
  }
}

Deno.test("POST /v1/score tells what a scoring failed with", async () => {
  for (const [code, status] of [["internal_error", 500], ["device_lost", 503]] as const) {
    const ordered = new OrderedScoring();
    const { post, logLines } = testApp({ script: { scoring: () => ordered } });
    const answer = post({ input: "a secret" }, PATH);
    ordered.fail(new SequenceError(code, "no numbers"));
    const response = await answer;
    assertEquals([response.status, (await errorOf(response)).code], [status, code]);
    assert(!logLines.join().includes("secret"));
  }
});

Deno.test("POST /v1/score takes no longer than a request may", async () => {
  const ordered = new OrderedScoring();
  const script = { scoring: () => ordered };
  const { post } = testApp({ script, settings: { requestTimeoutMs: 1 } });
  const error = await errorOf(await post({ input: "a" }, PATH));
  assertEquals([error.code, ordered.cancels], ["generation_timeout", 1]);
  assertStringIncludes(error.message, "1 ms");
});

Deno.test("POST /v1/score gives up on an engine that does not end a scoring", async () => {
  const ordered = new OrderedScoring();
  ordered.obeys = false;
  const { post } = testApp({
    script: { scoring: () => ordered },
    settings: { requestTimeoutMs: 1 },
  });
  assertEquals((await errorOf(await post({ input: "a" }, PATH))).code, "generation_timeout");
  // What comes too late reaches nobody.
  ordered.fail(new SequenceError("device_lost", "too late"));
});

Deno.test("POST /v1/score ends when its client leaves", async () => {
  const ordered = new OrderedScoring();
  const { send } = testApp({ script: { scoring: () => ordered } });
  for (const leavesBefore of [true, false]) {
    const client = new AbortController();
    if (leavesBefore) client.abort();
    const answer = send(PATH, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ input: "a" }),
      signal: client.signal,
    });
    client.abort();
    assertEquals((await answer).status, 499);
    assert(ordered.cancels > 0);
  }
});

Deno.test("POST /v1/score counts what was fed to the model", async () => {
  const { post, send } = testApp({ script: WITH_BOS });
  await (await post({ input: ["abc", "d"] }, PATH)).body?.cancel();
  const text = await (await send("/metrics")).text();
  assertEquals(readExposition(text).value("bd_prompt_tokens_total", { model: "test-copy" }), 6);
});
