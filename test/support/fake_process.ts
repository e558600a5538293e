import { run } from "../../src/commands/generate.ts";
import type { Interrupt, OpenedModel, Surroundings } from "../../src/commands/model_command.ts";
import type { TerminalOutput } from "../../src/commands/terminal.ts";
import type { TerminalInput } from "../../src/commands/terminal_input.ts";
import { byteTokenizer } from "../server/support.ts";
import { Pipe, type Screen } from "./screen.ts";
import { ScriptedEngine } from "./scripted_engine.ts";

/** What a command takes from the process, with a scripted engine to open. */
export class FakeProcess implements Surroundings {
  readonly stdin: TerminalInput;
  readonly stdout: TerminalOutput & { written: string };
  readonly stderr: TerminalOutput & { written: string };
  readonly engine: ScriptedEngine;
  readonly model: OpenedModel;
  readonly #closing = Promise.withResolvers<void>();
  /** What the model was opened with. */
  opened: Parameters<Parameters<typeof run>[1]>[0] | null = null;
  closed = 0;
  #interrupt: Interrupt | null = null;

  constructor(
    { stdin = typed([]), stdout = new Pipe(), stderr = new Pipe(), chat = null, ...script }:
      & { stdin?: TerminalInput; stdout?: Pipe | Screen; stderr?: Pipe | Screen }
      & { chat?: OpenedModel["chat"] }
      & ConstructorParameters<typeof ScriptedEngine>[0] = {},
  ) {
    this.stdin = stdin;
    this.stdout = stdout;
    this.stderr = stderr;
    this.engine = new ScriptedEngine(script);
    this.model = {
      engine: this.engine,
      tokenizer: byteTokenizer,
      chat,
      close: () => {
        this.closed += 1;
        this.#closing.resolve();
        return Promise.resolve();
      },
    };
  }

  /** Resolves once the model is closed. */
  get closing(): Promise<void> {
    return this.#closing.promise;
  }

  get isListening(): boolean {
    return this.#interrupt !== null;
  }

  readonly randomBytes = (count: number) => new Uint8Array(count).fill(1);

  readonly onInterrupt = (interrupt: Interrupt) => {
    this.#interrupt = interrupt;
    return { [Symbol.dispose]: () => this.#interrupt = null };
  };

  interrupt(status: number): void {
    if (this.#interrupt?.(status) !== "again") this.#interrupt = null;
  }

  run(args: string[], open = () => Promise.resolve(this.model)): Promise<number> {
    return run(args, (options) => {
      this.opened = options;
      return open();
    }, this);
  }
}

/** A terminal on which `lines` are typed one after the other, each when it is asked for. */
export function typed(
  lines: Iterable<string> | AsyncIterable<string>,
): TerminalInput {
  return { isTerminal: true, open: () => bytesOf(lines) };
}

/** A pipe with what `chunks` say. */
export function piped(...chunks: readonly (string | Uint8Array)[]): TerminalInput {
  return { isTerminal: false, open: () => bytesOf(chunks) };
}

function bytesOf(
  chunks: Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const bytes = async function* () {
    for await (const each of chunks) yield typeof each === "string" ? encoder.encode(each) : each;
  };
  return ReadableStream.from(bytes());
}
