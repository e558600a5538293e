import { assertEquals } from "@std/assert";
import type { OpenedModel } from "../../src/commands/model_command.ts";
import { BusyError } from "../../src/engine/request.ts";
import { FakeProcess } from "../support/fake_process.ts";
import { Pipe, Screen } from "../support/screen.ts";

Deno.test("run() prints the text to a pipe and nothing else", async () => {
  const process = new FakeProcess();
  assertEquals(await process.run(["abc", "--max-tokens", "7", "--trace"]), 0);
  assertEquals([process.stdout.written, process.stderr.written], ["abcabca\n", ""]);
  assertEquals(process.closed, 1);
  // Nobody would see the steps.
  assertEquals(process.engine.submitted[0]?.trace, false);
});

Deno.test("run() tells on a terminal what it took", async () => {
  const process = new FakeProcess({ stdout: new Screen(40, 5), stderr: new Screen(60, 5) });
  const status = await process.run(["abc", "--max-tokens", "6", "--seed", "5", "--trace"]);
  assertEquals(status, 0);
  assertEquals((process.stdout as Screen).lines, ["abcabc"]);
  // Two blocks of 1.5 ms, and a pass for each of 6 tokens after that of the prompt.
  const [line] = (process.stderr as Screen).lines;
  assertEquals(line, "6 tokens, 2000.0 tokens/s, 7 passes, seed 5");
  assertEquals((process.stderr as Screen).dimLines[0], "·".repeat(line!.length));
  assertEquals(process.engine.submitted[0]?.trace, true);
});

Deno.test("run() prints one JSON object with --json, and a bar on stderr meanwhile", async () => {
  const process = new FakeProcess({ stderr: new Screen(60, 5) });
  const args = ["abc", "--max-tokens", "6", "--seed", "5", "--json", "--trace", "--stop", "ca"];
  assertEquals(await process.run(args), 0);
  assertEquals(JSON.parse(process.stdout.written), {
    model: "test-copy",
    adapter: "scripted",
    seed: 5,
    params: {
      max_tokens: 6,
      block_size: 4,
      strategy: "first_hitting",
      temperature: 1,
      top_p: 1,
      top_k: 0,
    },
    text: "ab",
    tokens: [97, 98, 99, 97],
    stop_reason: "stop",
    stop: "ca",
    usage: { prompt_tokens: 3, completion_tokens: 4 },
    blocks: 1,
    // The scripted engine is done before it hears of the stop.
    passes: 7,
    timings: { first_block_ms: 1.5, generate_ms: 1.5, tokens_per_second: 2666.667 },
  });
  assertEquals(process.stdout.written.trimEnd().split("\n").length, 1);
  assertEquals(process.stderr.written.includes("generating"), true);
  assertEquals((process.stderr as Screen).lines, [""]);
  assertEquals(process.engine.submitted[0]?.trace, false);
});

Deno.test("run() takes several stop strings", async () => {
  const process = new FakeProcess();
  assertEquals(await process.run(["abcde", "--stop", "xyz", "--stop", "de"]), 0);
  assertEquals(process.stdout.written, "abc\n");
});

Deno.test("run() hands model and storage to the opener", async () => {
  const process = new FakeProcess();
  await process.run(["--model", "models/x", "--weights", "f32"]);
  assertEquals([process.opened?.model, process.opened?.weights], ["models/x", "f32"]);
  await process.run([]);
  assertEquals([process.opened?.model, process.opened?.weights], [null, null]);
});

Deno.test("run() tells in one line why the model cannot be opened", async () => {
  const process = new FakeProcess({ stderr: new Screen(80, 5) });
  const failure = new Error(
    'Cannot load "models/x":\n  config.json is \x1b[2J, expected an object',
  );
  assertEquals(await process.run([], () => Promise.reject(failure)), 1);
  assertEquals((process.stderr as Screen).lines, [
    'Cannot load "models/x": config.json is ␛[2J, expected an object',
  ]);
});

Deno.test("run() gives status 1 when the engine refuses", async () => {
  const process = new FakeProcess({ refusal: new BusyError("device_lost") });
  assertEquals(await process.run(["abc"]), 1);
  assertEquals(process.stderr.written, "Cannot take the sequence: device lost\n");
  assertEquals(process.closed, 1);
});

Deno.test("run() ends with the signal's status while it generates", async () => {
  class InterruptingScreen extends Screen {
    override write(text: string): void {
      super.write(text);
      if (this.lines[0]?.startsWith("abcabc")) process.interrupt(130);
    }
  }
  const screen = new InterruptingScreen(40, 5);
  const beforeStep = (step: number) => step < 6 ? undefined : new Promise<void>(() => {});
  const process = new FakeProcess({ stdout: screen, beforeStep });
  assertEquals(await process.run(["abc", "--trace"]), 130);
  assertEquals([screen.lines, screen.isCursorVisible], [["abca"], true]);
  assertEquals([process.closed, process.isListening], [1, false]);
  await process.engine.idle;
  assertEquals(process.engine.cancelled, 1);
});

Deno.test("run() ends with the signal's status while the model opens", async () => {
  const process = new FakeProcess();
  const opening = Promise.withResolvers<OpenedModel>();
  const status = process.run(["abc"], () => opening.promise);
  process.interrupt(143);
  assertEquals(await status, 143);
  opening.resolve(process.model);
  await process.closing;
  assertEquals([process.stdout.written, process.stderr.written], ["", ""]);
});

Deno.test("run() ends quietly when nobody reads any more", async () => {
  const stdout = new Pipe();
  stdout.write = () => {
    throw new Deno.errors.BrokenPipe("broken pipe");
  };
  const process = new FakeProcess({ stdout });
  assertEquals(await process.run(["abc"]), 141);
  assertEquals([process.stderr.written, process.closed], ["", 1]);
});
