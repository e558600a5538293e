import { assert, assertEquals } from "@std/assert";
import { CutReader } from "../support/cut_reader.ts";
import { mulberry32 } from "../support/mulberry32.ts";
import { sha256 } from "../support/sha256.ts";
import { TestServer } from "../support/test_server.ts";

const GENERATIONS = 60;
const TOKENS = 400;
const CUTS = 12;
/** Cuts of a generation whose end comes early, at least. */
const LEAST_CUTS = 5;

Deno.test(`${GENERATIONS} generations survive cuts at random bytes, whichever way clients come back`, async () => {
  // Room for generations that were cut before their first event, which nobody comes back to.
  const places = ["--max-concurrent", "16", "--max-queue", "1000"];
  await using server = await TestServer.start("--test-step-ms", "1", ...places);
  const readers = Array.from({ length: GENERATIONS }, (_, seed) => {
    // Characters of one to four bytes, so that cuts go through them, too.
    const body = { prompt: `número ${seed} 中😀, `, max_tokens: TOKENS, resume_ms: 5000 };
    return new CutReader({ address: server.address, body, cuts: CUTS, draw: mulberry32(seed) });
  });
  await Promise.all(readers.map(async (reader, seed) => {
    try {
      await reader.read();
      await assertWhole(reader);
      assert(reader.cuts >= LEAST_CUTS, `there were ${reader.cuts} cuts only`);
    } catch (cause) {
      throw new Error(`Cannot resume with seed ${seed}`, { cause });
    }
  }));
});

async function assertWhole(reader: CutReader): Promise<void> {
  const { events } = reader;
  const id = events[0]?.data.id;
  assertEquals(events.map((each) => each.id), events.map((_, i) => `${id}.${i}`));
  const blocks = events.slice(1, -1);
  assertEquals(new Set(blocks.map(({ event }) => event)), new Set(["block"]));
  const { event, data } = events.at(-1)!;
  assertEquals([event, data.finish_reason, data.blocks], ["done", "length", blocks.length]);
  assertEquals(blocks.flatMap((block) => block.data.tokens).length, TOKENS);
  assertEquals(await sha256(blocks.map((block) => block.data.text).join("")), data.text_sha256);
  const statuses = await reader.statusesAfter(`${id}.${events.length - 1}`);
  assertEquals(new Set(statuses), new Set([204]));
}
