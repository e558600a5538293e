import { assertEquals } from "@std/assert";
import { LineReader } from "../../src/commands/terminal_input.ts";
import { piped } from "../support/fake_process.ts";

async function linesOf(...chunks: (string | Uint8Array)[]): Promise<string[]> {
  const reader = new LineReader(piped(...chunks).open());
  const lines: string[] = [];
  for (let line = await reader.next(); line !== null; line = await reader.next()) lines.push(line);
  assertEquals(await reader.next(), null);
  return lines;
}

Deno.test("LineReader gives lines however the bytes come", async () => {
  assertEquals(await linesOf(), []);
  assertEquals(await linesOf("one\ntwo\n"), ["one", "two"]);
  assertEquals(await linesOf("o", "ne\r\n\nt", "wo"), ["one", "", "two"]);
});

Deno.test("LineReader keeps a character together that chunks cut", async () => {
  const [first, ...rest] = new TextEncoder().encode("é\n");
  assertEquals(await linesOf(Uint8Array.of(first!), Uint8Array.from(rest)), ["é"]);
});
