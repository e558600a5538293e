import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { writeTinyCheckpoint } from "../support/checkpoints.ts";
import { OpenStream, until } from "../support/open_stream.ts";
import { residentBytes } from "../support/resident_memory.ts";
import { TestServer } from "../support/test_server.ts";

const MIB = 2 ** 20;
const STORY = { prompt: "Once upon a time", max_tokens: 64, seed: 5, ignore_eos: true };
/** It is under way when a fault comes, however fast the device is. */
const ENDLESS = { ...STORY, max_tokens: 16_000, overflow: "slide" };
const END_BY_LOSS = /event: error\nid: .*\ndata: .*"code":"device_lost".*\n\n$/;

async function order(server: TestServer, fault: string): Promise<void> {
  const response = await server.post("/debug/faults", { fault });
  assertEquals([response.status, await response.text()], [204, ""]);
}

async function stateOf(response: Response): Promise<unknown[]> {
  const { status, error } = await response.json();
  return [response.status, status, error?.code];
}

/** Text of the blocks in a stream that may have been cut off. */
function textOf(stream: string): string {
  const blocks = [...stream.matchAll(/event: block\nid: .*\ndata: (.*)\n\n/g)];
  return blocks.map(([, data]) => JSON.parse(data!).text).join("");
}

/** Orders a fault that ends the engine amid a generation, and checks all there is to see of it. */
async function lose(server: TestServer, fault: string, story: string): Promise<void> {
  const stream = await OpenStream.open(server, ENDLESS);
  const start = performance.now();
  await order(server, fault);
  const ready = await server.get("/ready");
  assertEquals(await stateOf(ready), [503, "device_lost", "device_lost"]);
  const refused = await server.post("/v1/blocks", STORY);
  assertEquals(await stateOf(refused), [503, undefined, "device_lost"]);
  assert(Number(refused.headers.get("retry-after")) >= 1, "Retry-After is missing");
  const told = await stream.readToEnd();
  assert(performance.now() - start < 1000, `it took ${performance.now() - start} ms`);
  assert(END_BY_LOSS.test(told), `the stream ends with ${told.slice(-300)}`);
  // Nothing that was sent is of a device that was lost.
  const text = textOf(told);
  assert(text.length > 0 && (story.startsWith(text) || text.startsWith(story)), text);
  assertEquals(await stateOf(await server.get("/health")), [200, "ok", undefined]);
  await (await until(200, () => server.get("/ready"))).body?.cancel();
}

Deno.test("the server comes back from what befalls its engine", async (t) => {
  await using server = await TestServer.startWithDevice("--fault-injection");
  const { text: story } = await server.blocks(STORY);
  const resident: number[] = [];

  for (let time = 1; time <= 4; time++) {
    await t.step(`lost device, time ${time} in a row`, async () => {
      await lose(server, "device_lost", story);
      assertEquals((await server.blocks(STORY)).text, story);
      resident.push(await residentBytes(server.pid));
    });
  }

  await t.step("nothing of the lost devices is left in memory", () => {
    const [first = 0, ...others] = resident;
    const growth = others.map((bytes) => Math.round((bytes - first) / MIB));
    // An engine takes more than 100 MiB.
    assert(Math.max(...growth) < 60, `${first / MIB} MiB grew by ${growth}`);
  });

  await t.step("an error in the engine's Worker", async () => {
    await lose(server, "engine_error", story);
    assertEquals((await server.blocks(STORY)).text, story);
  });

  await t.step("a lost device that nobody was using", async () => {
    await order(server, "device_lost");
    const ready = await server.get("/ready");
    assertEquals(await stateOf(ready), [503, "device_lost", "device_lost"]);
    await (await until(200, () => server.get("/ready"))).body?.cancel();
  });

  await t.step("a pass that fails ends one stream, and the others are as ever", async () => {
    await order(server, "forward_error");
    const streams = await Promise.all([1, 2, 3].map(() => server.blocks(STORY)));
    const failed = streams.filter(({ last }) => last.event === "error");
    assertEquals(failed.map(({ last }) => last.data.error.code), ["internal_error"]);
    const others = streams.filter(({ last }) => last.event === "done");
    assertEquals(others.map(({ text }) => text), [story, story]);
  });
});

Deno.test("the server fails without its weights, until they are there again", async (t) => {
  const directory = await Deno.makeTempDir();
  const [weights, elsewhere] = ["model.safetensors", "moved"].map((name) => join(directory, name));
  try {
    writeTinyCheckpoint(directory);
    await using server = await TestServer.startWithDevice(
      "--fault-injection",
      "--model",
      directory,
    );
    const request = { prompt: "a", max_tokens: 12, seed: 1, ignore_eos: true };
    const before = await server.blocks(request);

    await t.step("they are gone", async () => {
      await Deno.rename(weights!, elsewhere!);
      await order(server, "device_lost");
      const hasFailed = async () => (await stateOf(await server.get("/ready")))[1] === "failed";
      while (!await hasFailed()); // A round trip each time.
      assertEquals(await stateOf(await server.get("/ready")), [503, "failed", "device_lost"]);
      const refused = await server.post("/v1/blocks", request);
      assertEquals(await stateOf(refused), [503, undefined, "device_lost"]);
    });

    await t.step("they are back", async () => {
      await Deno.rename(elsewhere!, weights!);
      await (await until(200, () => server.get("/ready"))).body?.cancel();
      assertEquals((await server.blocks(request)).tokens, before.tokens);
    });

    await t.step("SIGTERM ends the server while the device is lost, with status 0", async () => {
      await Deno.rename(weights!, elsewhere!);
      await order(server, "device_lost");
      const start = performance.now();
      server.signal("SIGTERM");
      assertEquals((await server.status).code, 0);
      assert(performance.now() - start < 2000, `it took ${performance.now() - start} ms`);
    });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
