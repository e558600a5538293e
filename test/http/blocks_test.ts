import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { copiedText } from "../support/copy_request.ts";
import { readEventStream, type StreamedEvent } from "../support/event_stream.ts";
import { sha256 } from "../support/sha256.ts";
import { TestServer } from "../support/test_server.ts";

// Black box: the test server in a process of its own, over real HTTP.

/** Data of the events of one kind. */
function dataOf(events: readonly StreamedEvent[], name: string) {
  return events.filter(({ event }) => event === name).map(({ data }) => data);
}

Deno.test("the server streams blocks as the contract has it", async (t) => {
  await using server = await TestServer.start("--test-step-ms", "1");

  await t.step("POST answers with a stream, framed to the byte", async () => {
    const response = await server.post("/v1/blocks", { prompt: "hello", max_tokens: 10, seed: 7 });
    assertEquals(response.status, 200);
    const names = ["content-type", "cache-control", "x-accel-buffering", "content-encoding"];
    assertEquals(names.map((name) => response.headers.get(name)), [
      "text/event-stream; charset=utf-8",
      "no-store, no-transform",
      "no",
      null,
    ]);
    const { bytes, events } = await readEventStream(response);
    const id = events[0]?.data.id;
    assertMatch(id, /^blk_[A-Za-z0-9_-]{22,}$/);
    // The same events, written down anew.
    const framed = events.map(({ event, data }, i) =>
      `event: ${event}\nid: ${id}.${i}\ndata: ${JSON.stringify(data)}\n\n`
    );
    assertEquals(new TextDecoder().decode(bytes), ["retry: 2000\n\n", ...framed].join(""));
    const kinds = events.map(({ event }) => event);
    assertEquals(kinds, ["start", "block", "block", "block", "done"]);
  });

  await t.step("the data of the events are complete", async () => {
    const { events, last } = await server.blocks({ prompt: "hello", max_tokens: 10, seed: 7 });
    const { id, created, system_fingerprint, ...start } = events[0]?.data;
    assertEquals([typeof id, typeof system_fingerprint], ["string", "string"]);
    assert(Number.isInteger(created), "created is no integer");
    assertEquals(start, {
      object: "blocks.start",
      model: "test-copy",
      seed: 7,
      prompt_tokens: 5,
      max_tokens: 10,
      queue_position: 0,
      params: {
        block_size: 4,
        strategy: "first_hitting",
        steps: null,
        threshold: null,
        entropy_bound: null,
        temperature: 1,
        top_p: 1,
        top_k: 0,
      },
      resume_ms: 10000,
    });
    const blocks = dataOf(events, "block").map(({ ms, ...block }) => {
      // Two blocks may come out of one burst: the second one takes no time then.
      assert(ms >= 0, `a block took ${ms} ms`);
      return block;
    });
    const counts = { steps: 4, nfe: 4 };
    assertEquals(blocks, [
      { index: 0, position: 5, tokens: [104, 101, 108, 108], text: "hell", ...counts },
      { index: 1, position: 9, tokens: [111, 104, 101, 108], text: "ohel", ...counts },
      { index: 2, position: 13, tokens: [108, 111], text: "lo", ...counts },
    ]);
    const { timings, passes, ...done } = last.data;
    // The prompt rides with the first step, or in passes of its own where the machine is slow.
    assert(passes === 12 || passes === 13 || passes === 14, `it took ${passes} passes`);
    assertEquals(done, {
      finish_reason: "length",
      stop_reason: "length",
      stop: null,
      usage: { prompt_tokens: 5, completion_tokens: 10, total_tokens: 15 },
      blocks: 3,
      steps: 12,
      nfe: 12,
      text_sha256: await sha256("hellohello"),
    });
    assert(timings.generate_ms >= 12, `12 steps took ${timings.generate_ms} ms`);
  });

  await t.step("GET is the same request", async () => {
    const fields = { prompt: "a b&c=é", max_tokens: 20, seed: 3, block_size: 8, trace: true };
    const query = new URLSearchParams(Object.entries(fields).map(([k, v]) => [k, String(v)]));
    const got = await readEventStream(await server.get(`/v1/blocks?${query}`));
    const posted = await server.blocks(fields);
    const stable = ({ events }: typeof got) =>
      events.map(({ event, data }) => {
        const { id: _, created: __, ms: ___, timings: ____, ...rest } = data;
        return { event, ...rest };
      });
    assertEquals(stable(got), stable(posted));
    assertEquals(got.text, "a b&c=éa b&c=éa b&");
  });

  await t.step("an empty prompt is allowed", async () => {
    assertEquals((await server.blocks({ max_tokens: 6 })).text, "aaaaaa");
  });

  for (const block_size of [1, 2, 4, 8, 16, 32]) {
    await t.step(`a stop string is found across blocks of ${block_size}`, async () => {
      const { text, tokens, last } = await server.blocks({
        prompt: "abcdefghij",
        max_tokens: 100,
        stop: ["jab", "no"],
        block_size,
      });
      assertEquals(text, "abcdefghi");
      assertEquals(new TextDecoder().decode(Uint8Array.from(tokens)), "abcdefghijab");
      const { finish_reason, stop_reason, stop } = last.data;
      assertEquals([finish_reason, stop_reason, stop], ["stop", "stop", "jab"]);
      assertEquals(last.data.usage.completion_tokens, 12);
    });

    await t.step(`no character is cut by blocks of ${block_size}`, async () => {
      const prompt = "é中😀\ufeff";
      const request = { prompt, max_tokens: 36, block_size };
      const { text, events, last } = await server.blocks(request);
      assertEquals(text, prompt.repeat(3));
      for (const block of dataOf(events, "block")) assert(!block.text.includes("\ufffd"));
      assertEquals(last.data.text_sha256, await sha256(text));
    });
  }

  await t.step("the end token ends the text and has none itself", async () => {
    const { text, tokens, last } = await server.blocks({ prompt: [72, 105, 257], max_tokens: 50 });
    assertEquals([text, tokens, last.data.stop_reason], ["Hi", [72, 105, 257], "eos"]);
    const onward = await server.blocks({ prompt: [72, 257], max_tokens: 5, ignore_eos: true });
    assertEquals([onward.text, onward.last.data.stop_reason], ["HHH", "length"]);
  });

  await t.step("a seed gives the same order of filling again, another one another", async () => {
    const order = async (fields: object) => {
      const request = { prompt: "abcdef", max_tokens: 64, block_size: 32, trace: true, ...fields };
      const { events } = await server.blocks(request);
      const steps = dataOf(events, "step").map(({ revealed }) => revealed);
      return { seed: dataOf(events, "start")[0].seed as number, steps };
    };
    const fresh = await order({});
    assertEquals(await order({ seed: fresh.seed }), fresh);
    assertEquals((await order({ seed: fresh.seed, temperature: 0 })).steps, fresh.steps);
    assertNotEquals((await order({ seed: (fresh.seed + 1) % 2 ** 53 })).steps, fresh.steps);
    assertNotEquals((await order({})).seed, fresh.seed);
  });

  await t.step("a trace shows every step, from masks to the block", async () => {
    const request = { prompt: "xyz", max_tokens: 30, block_size: 8, trace: true };
    const { events } = await server.blocks(request);
    let tokens: (number | null)[] = Array(8).fill(null);
    let steps = 0;
    for (const { event, id, data } of events) {
      if (event === "step") {
        assertEquals([id, data.step, data.nfe], [null, steps + 1, steps + 1]);
        const filled = data.tokens.flatMap((token: number | null, i: number) =>
          token === tokens[i] ? [] : [i]
        );
        assertEquals([filled, filled.every((i: number) => tokens[i] === null)], [
          data.revealed,
          true,
        ]);
        const pieces = data.tokens.map((each: number | null) =>
          each === null ? null : String.fromCharCode(each)
        );
        assertEquals(data.pieces, pieces);
        tokens = data.tokens;
        steps = data.step;
      } else if (event === "block") {
        assertEquals([data.tokens, data.steps], [tokens.slice(0, data.tokens.length), steps]);
        tokens = Array(8).fill(null);
        steps = 0;
      }
    }
  });

  for (
    const [options, steps] of [
      [{ strategy: "ancestral" }, 8],
      [{ strategy: "ancestral", steps: 3 }, 3],
      [{ strategy: "sequential", steps: 5 }, 5],
      [{ strategy: "low_confidence_static", steps: 1 }, 1],
      [{ strategy: "low_confidence_dynamic", threshold: 0.5 }, 4],
      [{ strategy: "entropy_bounded", entropy_bound: 3 }, 4],
    ] as const
  ) {
    await t.step(`${JSON.stringify(options)} takes ${steps} steps for 8 tokens`, async () => {
      const request = { prompt: "abcd", max_tokens: 8, block_size: 8, ...options };
      const { text, last } = await server.blocks(request);
      assertEquals([text, last.data.steps], ["abcdabcd", steps]);
    });
  }

  await t.step("32 streams at once are all right", async () => {
    const prompts = Array.from({ length: 32 }, (_, i) => `stream ${i}, `);
    const streams = await Promise.all(
      prompts.map((prompt, i) =>
        server.blocks({ prompt, max_tokens: 40 + i, block_size: 2 ** (i % 6) })
      ),
    );
    for (const [i, { text, last }] of streams.entries()) {
      assertEquals(text, copiedText(prompts[i]!, 40 + i));
      assertEquals(last.data.text_sha256, await sha256(text));
    }
  });

  await t.step("without a stream the answer is one object", async () => {
    const request = { prompt: "abc", max_tokens: 6, stream: false };
    const response = await server.post("/v1/blocks", request);
    assertEquals(response.headers.get("content-type"), "application/json; charset=utf-8");
    const { object, text, blocks, usage } = await response.json();
    assertEquals([object, text, blocks.length, usage.completion_tokens], [
      "blocks",
      "abcabc",
      2,
      6,
    ]);
  });
});
