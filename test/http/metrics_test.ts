import { assert, assertEquals } from "@std/assert";
import { type Exposition, readExposition } from "../support/prometheus.ts";
import { TestServer } from "../support/test_server.ts";

// Black box: the engine's own loop and port behind real HTTP.

const model = "test-copy";

async function scrape(server: TestServer): Promise<Exposition> {
  return readExposition(await (await server.get("/metrics")).text());
}

/** What has ended, by its reason. */
function ended({ value }: Exposition): number[] {
  return ["stop", "length", "cancelled", "error"].map((finish_reason) =>
    value("bd_sequences_total", { model, finish_reason }) ?? NaN
  );
}

/** Started sequences that have neither ended nor are still there: none, ever. */
function missing(exposition: Exposition): number {
  const { value } = exposition;
  const there = value("bd_sequences_running")! + value("bd_sequences_waiting")!;
  const over = ended(exposition).reduce((sum, each) => sum + each, 0);
  return value("bd_sequences_started_total", { model })! - there - over;
}

Deno.test("the metrics follow what the engine does", async (t) => {
  const flags = ["--max-concurrent", "2", "--test-step-ms", "1", "--fault-injection"];
  await using server = await TestServer.start(...flags);

  await t.step("a server that has done nothing says so", async () => {
    const exposition = await scrape(server);
    const { value } = exposition;
    assertEquals(value("bd_sequences_limit"), 2);
    assertEquals([value("bd_sequences_running"), value("bd_sequences_waiting")], [0, 0]);
    assertEquals(value("bd_cache_pages", { state: "used" }), 0);
    assertEquals(ended(exposition), [0, 0, 0, 0]);
    assertEquals(exposition.labels("bd_build_info")[0]?.adapter, "scripted");
  });

  await t.step("all of a sequence is up to date when its last event has come", async () => {
    const before = await scrape(server);
    let [tokens, steps, blocks, prompt] = [0, 0, 0, 0];
    for (let i = 0; i < 10; i += 1) {
      const { last } = await server.blocks({ prompt: "abc", max_tokens: 5 + i });
      tokens += last.data.usage.completion_tokens;
      prompt += last.data.usage.prompt_tokens;
      steps += last.data.steps;
      blocks += last.data.blocks;
      const exposition = await scrape(server);
      const { value } = exposition;
      assertEquals(ended(exposition), [0, i + 1, 0, 0]);
      assertEquals(value("bd_sequences_running"), 0);
      assertEquals(value("bd_cache_pages", { state: "used" }), 0);
      assertEquals(value("bd_completion_tokens_total", { model }), tokens);
      assertEquals(value("bd_prompt_tokens_total", { model }), prompt);
      assertEquals(value("bd_denoising_steps_total", { model }), steps);
      assertEquals(value("bd_blocks_total", { model }), blocks);
      assertEquals(value("bd_queue_wait_seconds_count", { model }), i + 1);
      assertEquals(value("bd_time_to_first_block_seconds_count", { model }), i + 1);
      assertEquals(value("bd_block_duration_seconds_count", { model }), blocks);
      // Alone, each step is a pass; a burst may go on for a while after the end.
      const passes = { model, kind: "denoise" };
      assert(value("bd_forward_passes_total", passes)! >= steps);
    }
    const labels = { method: "POST", route: "/v1/blocks", status: "200" };
    assertEquals((await scrape(server)).value("bd_http_requests_total", labels), 10);
    assertEquals(before.value("bd_http_requests_total", labels), undefined);
  });

  await t.step("many at once add up, while they run and after", async () => {
    const streams = Array.from(
      { length: 12 },
      () => server.blocks({ prompt: "many", max_tokens: 40 }),
    );
    let isOver = false;
    const all = Promise.all(streams).finally(() => isOver = true);
    while (!isOver) {
      const { value } = await scrape(server);
      assert(value("bd_sequences_running")! <= 2);
      assert(value("bd_sequences_waiting")! <= 10);
    }
    await all;
    const exposition = await scrape(server);
    assertEquals([missing(exposition), ended(exposition)], [0, [0, 22, 0, 0]]);
  });

  await t.step("what fails or is lost is counted as such", async () => {
    const order = (fault: object) => server.post("/debug/faults", fault);
    const before = await scrape(server);
    await order({ fault: "forward_error" });
    const failed = await server.blocks({ prompt: "fails", max_tokens: 4 });
    assertEquals(failed.last.data.error.code, "internal_error");
    const response = await server.post("/v1/blocks", { prompt: "lost", max_tokens: 4000 });
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = ""; !text.includes("event: block"); text += (await reader.read()).value);
    await order({ fault: "device_lost", ms: 0 });
    while (!(await reader.read()).done);
    const exposition = await scrape(server);
    assertEquals([missing(exposition), ended(exposition)], [0, [0, 22, 0, 2]]);
    assertEquals(exposition.value("bd_sequences_running"), 0);
    assertEquals(before.value("bd_device_lost_total"), 0);
    assertEquals(exposition.value("bd_device_lost_total"), 1);
  });
});
