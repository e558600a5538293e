import { assert, assertEquals } from "@std/assert";
import { Random } from "../support/random.ts";
import { TestServer } from "../support/test_server.ts";

// Sections 4.3 and 4.4: where a text ends, and how bytes become characters, against plain loops.

const BLOCK_SIZES = [1, 2, 4, 8, 16, 32];
/** Few different characters, of one to four bytes, so that strings overlap in many ways. */
const ALPHABETS = ["ab", "a\u00e9", "\u4e2d\ud83d\udca7", "\ufeffa", "\u00e9\ud83d\udca7\ufeffb"];

/** What the test model says to `prompt`: its bytes again and again. */
function bytesOf(prompt: string, count: number): Uint8Array {
  const bytes = new TextEncoder().encode(prompt);
  return Uint8Array.from({ length: count }, (_, k) => bytes[k % bytes.length]!);
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

/** How a text ends: before the first complete stop string, of several the longest. */
function expectedEnd(prompt: string, count: number, stop: readonly string[]) {
  const bytes = bytesOf(prompt, count);
  const characters = [...decode(bytes)];
  for (let end = 1; end <= characters.length; end += 1) {
    const text = characters.slice(0, end).join("");
    const found = stop.filter((each) => text.endsWith(each));
    if (found.length === 0) continue;
    const longest = found.toSorted((a, b) => b.length - a.length)[0]!; // There is one.
    const tokens = new TextEncoder().encode(text).length;
    return { text: text.slice(0, -longest.length), stop: longest, tokens, finish: "stop" };
  }
  return { text: characters.join(""), stop: null, tokens: count, finish: "length" };
}

function randomText(
  random: Random,
  { alphabet, least, most }: { alphabet: string; least: number; most: number },
): string {
  const count = least + random.below(most - least + 1);
  return Array.from({ length: count }, () => random.pick([...alphabet])).join("");
}

/** Up to four strings, of which one may be the end of another. */
function randomStops(random: Random, alphabet: string): string[] {
  const stops = Array.from(
    { length: 1 + random.below(2) },
    () => randomText(random, { alphabet, least: 2, most: 5 }),
  );
  const ends = stops.filter(() => random.below(2) === 0).map((each) => [...each].slice(1).join(""));
  return random.shuffle([...stops, ...ends]);
}

Deno.test("texts end where they must, in blocks of every size, whole and streamed", async (t) => {
  await using server = await TestServer.start("--test-step-ms", "0", "--max-concurrent", "16");
  const complete = async (request: object) => {
    const body = { model: "test-copy", ...request };
    const response = await server.post("/v1/completions", body);
    const { choices: [choice], usage } = await response.json();
    return { text: choice.text, finish: choice.finish_reason, tokens: usage.completion_tokens };
  };

  for (const [seed, alphabet] of ALPHABETS.entries()) {
    await t.step(`stop strings of ${JSON.stringify(alphabet)}`, async () => {
      const random = new Random(seed);
      for (let i = 0; i < 30; i += 1) {
        const prompt = randomText(random, { alphabet, least: 1, most: 12 });
        const count = 1 + random.below(60);
        const stop = randomStops(random, alphabet);
        const { stop: found, ...expected } = expectedEnd(prompt, count, stop);
        const shown = JSON.stringify({ prompt, count, stop });
        await Promise.all(BLOCK_SIZES.map(async (block_size) => {
          const request = { prompt, max_tokens: count, stop, block_size };
          const { text, tokens, last } = await server.blocks(request);
          assertEquals(
            { text, tokens: tokens.length, stop: last.data.stop, shown },
            { text: expected.text, tokens: expected.tokens, stop: found, shown },
          );
        }));
        const request = { prompt, max_tokens: count, stop, block_size: random.pick(BLOCK_SIZES) };
        assertEquals({ ...await complete(request), shown }, { ...expected, shown });
      }
    });
  }

  await t.step(
    "bytes that are no characters are U+FFFD, as WHATWG has it, at any border",
    async () => {
      const random = new Random(1);
      const edges = [
        0x41,
        0x7f,
        0x80,
        0xbf,
        0xc2,
        0xc3,
        0xe0,
        0xed,
        0xef,
        0xbb,
        0xbf,
        0xf0,
        0x9f,
        0xf4,
      ];
      for (let i = 0; i < 60; i += 1) {
        const prompt = Array.from({ length: 1 + random.below(40) }, () => random.pick(edges));
        const block_size = random.pick(BLOCK_SIZES);
        const { events, text } = await server.blocks({
          prompt,
          max_tokens: prompt.length,
          block_size,
        });
        assertEquals(text, decode(Uint8Array.from(prompt)), `${prompt} in blocks of ${block_size}`);
        for (const { event, data } of events) {
          assert(event !== "block" || data.text.isWellFormed(), `half a character in ${data.text}`);
        }
      }
    },
  );

  await t.step("U+FFFD is text like any other to a stop string", async () => {
    const inside = { prompt: [0x41, 0xff, 0x42], max_tokens: 9, stop: "\ufffdB" };
    assertEquals(await complete(inside), { text: "A", finish: "stop", tokens: 3 });
    // What the end of the text has cut off.
    const last = { prompt: "\u00e9", max_tokens: 3, stop: ["\ufffd"], block_size: 2 };
    assertEquals(await complete(last), { text: "\u00e9", finish: "stop", tokens: 3 });
  });

  await t.step("the prompt is not searched, echoed or not", async () => {
    const prompt = "stop here and ";
    const { text } = await complete({ prompt, max_tokens: 10, echo: true, stop: "here" });
    assertEquals(text, `${prompt}stop `);
  });

  await t.step("a stop string may be 256 characters long, across many blocks", async () => {
    const prompt = "\ud83d\udca7".repeat(255) + "!";
    const stop = ["\ud83d\udca7".repeat(255) + "?", `${"\ud83d\udca7".repeat(255)}!`];
    const { text, last } = await server.blocks({ prompt, max_tokens: 1500, stop, block_size: 32 });
    assertEquals([text, last.data.stop, last.data.usage.completion_tokens], ["", stop[1], 1021]);
  });

  await t.step(
    "text that might have been the beginning of a stop string comes at the end",
    async () => {
      const { events, text } = await server.blocks({ prompt: "ab", max_tokens: 8, stop: ["babc"] });
      const parts = events.filter(({ event }) => event === "block").map(({ data }) => data.text);
      assertEquals([parts, text], [["a", "bababab"], "abababab"]);
    },
  );
});
