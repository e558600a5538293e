import { assertEquals, assertStringIncludes } from "@std/assert";
import { run } from "../../src/commands/chat.ts";
import { type ChatTemplate, PlainChatTemplate } from "../../src/text/chat_template.ts";
import { byteTokenizer } from "../server/support.ts";
import { FakeProcess, piped, typed } from "../support/fake_process.ts";
import { Screen } from "../support/screen.ts";

/** Tells by a letter who says what: the scripted engine answers with that. */
const INITIALS: ChatTemplate = {
  switches: [],
  tokens: (messages) =>
    byteTokenizer.encode(messages.map(({ role, content }) => `${role[0]}${content};`).join("")),
};

function terminal(options: ConstructorParameters<typeof FakeProcess>[0] = {}): FakeProcess {
  const screen = new Screen(60, 40);
  return new FakeProcess({ stdout: screen, stderr: screen, chat: INITIALS, ...options });
}

function chat(process: FakeProcess, args: readonly string[] = []): Promise<number> {
  return run(args, () => Promise.resolve(process.model), process);
}

function promptsOf({ engine }: FakeProcess): string[] {
  return engine.submitted.map(({ prompt }) => String.fromCharCode(...prompt));
}

Deno.test("run() answers line by line from a pipe, and prints answers alone", async () => {
  const process = new FakeProcess({ stdin: piped("hi\n\nyou"), chat: INITIALS });
  assertEquals(await chat(process, ["--max-tokens", "3", "--system", "be"]), 0);
  assertEquals([process.stdout.written, process.stderr.written], ["sbe\nsbe\n", ""]);
  assertEquals(promptsOf(process), ["sbe;uhi;", "sbe;uhi;asbe;uyou;"]);
  assertEquals([process.closed, process.isListening], [1, false]);
});

Deno.test("run() leads a dialogue on a terminal until Ctrl-D", async () => {
  const process = terminal({ stdin: typed(["hi\n"]) });
  assertEquals(await chat(process, ["--max-tokens", "4", "--seed", "7"]), 0);
  assertEquals((process.stdout as Screen).lines, [
    "test-copy: Ctrl-C stops an answer, Ctrl-D leaves",
    // Nobody echoes what is typed here.
    "> uhi;",
    "4 tokens, 2666.7 tokens/s, 5 passes, seed 7",
    ">",
  ]);
});

Deno.test("run() writes no colours where there are none", async () => {
  const screen = new Screen(60, 9, { hasColors: false });
  const process = terminal({ stdin: typed(["hi\n"]), stdout: screen, stderr: screen });
  assertEquals(await chat(process, ["--max-tokens", "4", "--trace"]), 0);
  const styles = ["\x1b[2m", "\x1b[0m"].filter((each) => screen.written.includes(each));
  assertEquals(styles, []);
});

Deno.test("run() stops an answer with Ctrl-C, remembers it, and goes on", async () => {
  class InterruptingScreen extends Screen {
    override write(text: string): void {
      super.write(text);
      if (text === "uhi;") process.interrupt(130);
    }
  }
  const screen = new InterruptingScreen(60, 40);
  const process = terminal({
    stdin: typed(["hi\n", "you\n"]),
    stdout: screen,
    beforeStep: (step) => step === 4 ? new Promise(() => {}) : undefined,
  });
  process.stderr.write = (text) => screen.write(text);
  assertEquals(await chat(process, ["--max-tokens", "8"]), 0);
  // One block of four had come.
  assertEquals(promptsOf(process), ["uhi;", "uhi;auhi;;uyou;"]);
  assertStringIncludes(screen.lines.join("\n"), "uhi;\nstopped\n");
  assertEquals(process.closed, 1);
});

Deno.test("run() says how to leave when Ctrl-C comes between answers", async () => {
  const process: FakeProcess = terminal({ stdin: typed(lines()) });
  async function* lines() {
    await Promise.resolve();
    process.interrupt(130);
    process.interrupt(130);
    yield "hi\n";
  }
  assertEquals(await chat(process, ["--max-tokens", "1"]), 0);
  const hints = (process.stdout as Screen).lines.filter((each) => each === "Ctrl-D leaves");
  assertEquals([hints.length, promptsOf(process)], [2, ["uhi;"]]);
});

Deno.test("run() ends with the signal's status where nobody types, or with another signal", async () => {
  for (const [status, isTerminal] of [[130, false], [143, true]] as const) {
    const process: FakeProcess = terminal({
      stdin: { ...piped("hi\n"), isTerminal },
      beforeStep(step) {
        if (step === 2) process.interrupt(status);
        return step < 2 ? undefined : new Promise(() => {});
      },
    });
    assertEquals([await chat(process), process.closed], [status, 1]);
  }
});

Deno.test("run() forgets the oldest messages where the context is full", async () => {
  // Half of 32 is for the answer, and a question with its answer takes 4 + 18.
  const process = terminal({ stdin: typed(["ab\n", "cd\n"]), model: { contextLength: 32 } });
  assertEquals(await chat(process, ["--system", "x"]), 0);
  assertEquals(promptsOf(process), ["sx;uab;", "sx;ucd;"]);
  assertStringIncludes(process.stdout.written, "the oldest messages are forgotten");
});

Deno.test("run() tells in one line what is too long, and goes on without it", async () => {
  const long = "a".repeat(40);
  const process = terminal({ stdin: typed([`${long}\n`, "b\n"]), model: { contextLength: 32 } });
  assertEquals(await chat(process), 0);
  assertEquals(promptsOf(process), ["ub;"]);
  assertStringIncludes(process.stdout.written, "context length is 32 tokens");
});

Deno.test("run() ends a plain chat's answer where the model speaks for the user", async () => {
  const process = new FakeProcess({
    stdin: piped("a\nb\n"),
    chat: new PlainChatTemplate(byteTokenizer),
  });
  assertEquals(await chat(process, ["--max-tokens", "40", "--system", "s"]), 0);
  // The scripted engine repeats its prompt.
  assertEquals(process.stdout.written, "system: s\nsystem: s\n");
  assertEquals(promptsOf(process), [
    "system: s\nuser: a\nassistant:",
    "system: s\nuser: a\nassistant: system: s\nuser: b\nassistant:",
  ]);
});

Deno.test("run() refuses a model without a template, and says what to do", async () => {
  const process = new FakeProcess({ stdin: piped("hi\n") });
  assertEquals(await chat(process), 2);
  assertEquals(
    process.stderr.written,
    'Cannot chat: the model "test-copy" has no chat template; give --chat-template plain, or ' +
      "--model with one that has\n",
  );
});

Deno.test("run() refuses a message as an argument, and explains itself", async () => {
  const process = terminal();
  assertEquals([await chat(process, ["hi"]), process.closed], [2, 0]);
  assertStringIncludes(process.stderr.written, "start the chat, then type");
  const helped = new FakeProcess();
  assertEquals(await chat(helped, ["--help"]), 0);
  for (const each of ["--chat-template plain", "--system TEXT", "--top-p X", "Ctrl-D leaves"]) {
    assertStringIncludes(helped.stdout.written, each);
  }
});

Deno.test("run() sets the template's switches, and refuses what it does not have", async () => {
  const switching: ChatTemplate = {
    switches: ["enable_thinking", "verbose"],
    tokens: (_, switches) => byteTokenizer.encode(JSON.stringify(switches)),
  };
  const process = new FakeProcess({ stdin: piped("hi"), chat: switching });
  const args = ["--template", "enable_thinking=false", "--template=verbose=true"];
  assertEquals(await chat(process, [...args, "--max-tokens", "1"]), 0);
  assertEquals(promptsOf(process), ['{"enable_thinking":false,"verbose":true}']);
  const unknown = new FakeProcess({ stdin: piped("hi"), chat: switching });
  assertEquals(await chat(unknown, ["--template", "thinking=false"]), 2);
  assertStringIncludes(unknown.stderr.written, "takes enable_thinking, verbose");
  assertEquals(unknown.engine.submitted, []);
  const wrong = new FakeProcess({ stdin: piped("hi"), chat: switching });
  assertEquals(await chat(wrong, ["--template", "enable_thinking=no"]), 2);
  assertStringIncludes(wrong.stderr.written, "expected a switch of the template");
});
