import { assertEquals, assertStringIncludes } from "@std/assert";
import { FakeProcess, piped, typed } from "../support/fake_process.ts";

/** What the engine is asked to go on from. */
async function promptOf(args: string[], stdin = piped()): Promise<string> {
  const process = new FakeProcess({ stdin });
  assertEquals(await process.run(args), 0);
  return String.fromCharCode(...process.engine.submitted[0]!.prompt);
}

Deno.test("run() reads the prompt from a pipe, without the line feed at its end", async () => {
  assertEquals(await promptOf([], piped("On", "ce\n")), "Once");
  assertEquals(await promptOf(["--seed", "1"], piped("one\r\n\r\n")), "one\r\n");
  assertEquals(await promptOf([], piped()), "");
});

Deno.test("run() reads the prompt from a terminal with - only", async () => {
  assertEquals(await promptOf(["-"], typed(["Once\n", "upon\n"])), "Once\nupon");
  assertEquals(await promptOf([], typed(["Once\n"])), "");
});

Deno.test("run() does not look at a pipe where the prompt is an argument", async () => {
  assertEquals(await promptOf(["Once"], piped("upon")), "Once");
  assertEquals(await promptOf([""], piped("upon")), "");
});

Deno.test("run() refuses what is no text before the model is opened", async () => {
  const endless = {
    isTerminal: false,
    open: () => ReadableStream.from(Array<Uint8Array>(40).fill(new Uint8Array(1 << 19))),
  };
  const cases = [
    [piped("a", Uint8Array.of(0xff)), "it is no text in UTF-8"],
    [piped("a", Uint8Array.of(0xc3)), "it is no text in UTF-8"],
    [endless, "it is longer than 16777216 bytes; shorten it"],
  ] as const;
  for (const [stdin, message] of cases) {
    const process = new FakeProcess({ stdin });
    assertEquals(await process.run([]), 2);
    assertStringIncludes(process.stderr.written, `Cannot read the prompt from stdin: ${message}`);
    assertEquals(process.opened, null);
  }
});

Deno.test("run() ends with the signal's status while it waits for the prompt", async () => {
  const asked = Promise.withResolvers<void>();
  const lines = async function* (): AsyncGenerator<string> {
    asked.resolve();
    yield await new Promise<string>(() => {});
  };
  const process = new FakeProcess({ stdin: typed(lines()) });
  const status = process.run(["-"]);
  await asked.promise;
  process.interrupt(130);
  assertEquals([await status, process.opened], [130, null]);
});
