import { assert, assertEquals, assertRejects } from "@std/assert";
import { generate, type GenerationSummary } from "../../src/commands/generation.ts";
import type { TerminalOutput } from "../../src/commands/terminal.ts";
import {
  SequenceError,
  type SequenceEvent,
  type SequenceRequest,
} from "../../src/engine/request.ts";
import { byteTokenizer } from "../server/support.ts";
import { Pipe, Screen } from "../support/screen.ts";
import { BYTE_MODEL, ScriptedEngine } from "../support/scripted_engine.ts";

const REQUEST: SequenceRequest = {
  prompt: [97],
  maxTokens: 8,
  blockSize: 4,
  strategy: { strategy: "first_hitting" },
  temperature: 1,
  topP: 1,
  topK: 0,
  seed: 7,
  choice: 0,
  stopTokens: [],
  minEntropy: 0,
  trace: true,
};

Deno.test("generate() prints each block as it finishes", async () => {
  const gate = Promise.withResolvers<void>();
  const pipe = new Pipe();
  const seen: string[] = [];
  const events = async function* (): AsyncGenerator<SequenceEvent> {
    yield block("Once", 0);
    seen.push(pipe.written);
    await gate.promise;
    yield block(" upo", 1);
    seen.push(pipe.written);
    yield end("length", 9);
  };
  const printed = generateFrom(events(), { output: pipe });
  gate.resolve();
  assertEquals(await printed.summary, {
    text: "Once upo",
    tokenIds: byteTokenizer.encode("Once upo"),
    tokens: 8,
    blocks: 2,
    ms: 25,
    firstBlockMs: 12.5,
    passes: 9,
    reason: "length",
    stop: null,
  });
  assertEquals(seen, ["Once", "Once upo"]);
  assertEquals(pipe.written, "Once upo\n");
});

Deno.test("generate() shows masks turning into words in place", async () => {
  const screen = new Screen(10, 4);
  const frames: string[][] = [];
  const events = async function* (): AsyncGenerator<SequenceEvent> {
    yield block("Once upo", 0);
    for (const shown of ["    ", " a  ", "na  ", "na t", "na\nt"]) {
      yield step(shown);
      frames.push(screen.lines);
    }
    yield block("na\nt", 1);
    yield end("length", 9);
  };
  await generateFrom(events(), { output: screen }).summary;
  assertEquals(frames, [
    ["Once upo░░", "░░"],
    ["Once upo░a", "░░"],
    ["Once upona", "░░"],
    ["Once upona", "░t"],
    ["Once upona", "t"],
  ]);
  assertEquals(screen.lines, ["Once upona", "t"]);
  assertEquals([screen.cursor, screen.isCursorVisible], [{ row: 2, column: 0 }, true]);
});

Deno.test("generate() gives held-back bytes at the end", async () => {
  const pipe = new Pipe();
  const events = async function* (): AsyncGenerator<SequenceEvent> {
    yield block([0x61, 0xf0, 0x9f], 0);
    yield end("length", 3);
  };
  await generateFrom(events(), { output: pipe }).summary;
  assertEquals(pipe.written, "a\ufffd\n");
});

Deno.test("generate() ends before a stop string and cancels the rest", async () => {
  const pipe = new Pipe();
  let cancels = 0;
  const events = async function* (): AsyncGenerator<SequenceEvent> {
    yield block("one\n", 0);
    yield block("\ntwo", 1);
    cancels = printed.cancels;
    yield step("thre");
    yield block("thre", 2);
    yield end("cancelled", 12);
  };
  const printed = generateFrom(events(), { output: pipe, stop: ["\n\n"] });
  const { text, tokens, blocks, ms, passes, reason, stop } = await printed.summary;
  assertEquals({ text, tokens, blocks, ms, passes }, {
    text: "one",
    tokens: 5,
    blocks: 2,
    ms: 25,
    passes: 12,
  });
  assertEquals([reason, stop], ["stop", "\n\n"]);
  assertEquals([pipe.written, cancels], ["one\n", 1]);
});

Deno.test("generate() stops at once when aborted, and leaves the terminal clean", async () => {
  const screen = new Screen(10, 4);
  const interruption = new AbortController();
  const shown = Promise.withResolvers<void>();
  const events = async function* (): AsyncGenerator<SequenceEvent> {
    yield block("Once", 0);
    yield step(" u  ");
    shown.resolve();
    await new Promise(() => {});
  };
  const { signal } = interruption;
  const printed = generateFrom(events(), { output: screen, signal });
  const outcome = assertRejects(() => printed.summary, Error, "enough");
  await shown.promise;
  screen.write("^C");
  interruption.abort(new Error("enough"));
  await outcome;
  assert(printed.cancels > 0);
  assertEquals(screen.lines, ["Once"]);
  assertEquals([screen.cursor, screen.isCursorVisible], [{ row: 1, column: 0 }, true]);
  assert(screen.written.endsWith("\x1b[?25h\x1b[0m\n"));
});

Deno.test("generate() submits nothing when it is aborted already", async () => {
  const engine = new ScriptedEngine();
  const context = { engine, tokenizer: byteTokenizer, chat: null, output: new Pipe() };
  const signal = AbortSignal.abort(new Error("enough"));
  await assertRejects(
    () => generate({ request: REQUEST, stop: [] }, { ...context, signal }),
    Error,
    "enough",
  );
  assertEquals(engine.submitted, []);
});

Deno.test("generate() passes a failure on and leaves the terminal clean", async () => {
  const screen = new Screen(10, 4);
  // deno-lint-ignore require-yield -- It fails before it has anything to give.
  const failing = async function* (): AsyncGenerator<SequenceEvent> {
    await Promise.resolve();
    throw new SequenceError("device_lost", "Cannot go on: the device was lost");
  };
  const events = async function* (): AsyncGenerator<SequenceEvent> {
    yield block("Once", 0);
    yield step("    ");
    yield* failing();
  };
  const printed = generateFrom(events(), { output: screen });
  await assertRejects(() => printed.summary, SequenceError, "device was lost");
  assertEquals([screen.lines, screen.isCursorVisible], [["Once"], true]);
});

Deno.test("generate() throws when the events stop without an end", async () => {
  const events = async function* (): AsyncGenerator<SequenceEvent> {
    yield block("Once", 0);
  };
  const printed = generateFrom(events(), { output: new Pipe() });
  await assertRejects(() => printed.summary, Error, "no end event");
});

/** Runs `generate()` on an engine that gives `events` to the one request it gets. */
function generateFrom(
  events: AsyncIterable<SequenceEvent>,
  { output, stop = [], signal = new AbortController().signal }: {
    output: TerminalOutput;
    stop?: readonly string[];
    signal?: AbortSignal;
  },
): { readonly summary: Promise<GenerationSummary>; readonly cancels: number } {
  let cancels = 0;
  const { stats } = new ScriptedEngine();
  const engine = {
    model: BYTE_MODEL,
    status: "ready" as const,
    stats,
    submit: () => [{ queuePosition: 0, events, cancel: () => void (cancels += 1) }],
  };
  const context = { engine, tokenizer: byteTokenizer, chat: null, output, signal };
  return {
    summary: generate({ request: REQUEST, stop }, context),
    get cancels() {
      return cancels;
    },
  };
}

function block(content: string | number[], index: number): SequenceEvent {
  const tokens = typeof content === "string" ? byteTokenizer.encode(content) : content;
  const position = 1 + index * 4;
  return { type: "block", index, position, tokens, steps: 4, nfe: 4, ms: 12.5, last: false };
}

/** A step after which the characters of `shown` are known, and the blanks are masked. */
function step(shown: string): SequenceEvent {
  const tokens = [...shown].map((each) => each === " " ? null : each.charCodeAt(0));
  return { type: "step", block: 1, step: 1, nfe: 1, tokens, revealed: [], confidence: [] };
}

function end(reason: "length" | "cancelled", passes: number): SequenceEvent {
  return { type: "end", reason, passes, queueMs: 0 };
}
