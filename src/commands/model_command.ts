import { abortable } from "@std/async";
import type { LoadedModel } from "../server/loaded_models.ts";
import type { RandomBytes } from "../server/request_id.ts";
import { asksForHelp, UsageError } from "./flags.ts";
import { printable, processOutput, type TerminalOutput } from "./terminal.ts";
import { processInput, type TerminalInput } from "./terminal_input.ts";

/** A model ready to be asked. */
export interface OpenedModel extends LoadedModel, Closable {}

/** What a command takes from the process. */
export interface Surroundings {
  readonly stdin: TerminalInput;
  readonly stdout: TerminalOutput;
  readonly stderr: TerminalOutput;
  readonly randomBytes: RandomBytes;
  /** Calls `interrupt` when the process is told to stop, until it ends something or is disposed. */
  readonly onInterrupt: (interrupt: Interrupt) => Disposable;
}

/**
 * Told the exit status that a signal asks for.
 *
 * @returns `again` where the process goes on, to be told of the next signal too.
 */
export type Interrupt = (status: number) => "again" | void;

/** Something on the device. */
export interface Closable {
  /** Gives back the device and all that came with it. */
  close(): Promise<void>;
}

/** A command that opens one model, uses it and closes it. */
export interface ModelCommand<Options, Model extends Closable> {
  /** The text for `--help`. */
  readonly help: string;
  /** Reads the command line, and what it says to read beside; throws `UsageError`. */
  readonly parse: (args: readonly string[]) => Options | Promise<Options>;
  /** Loads the model. What it throws is the line on stderr. */
  readonly open: (options: Options) => Promise<Model>;
  /** Does what the command is for, until `signal` is aborted. */
  readonly use: (
    model: Model,
    context: { readonly options: Options; readonly signal: AbortSignal },
  ) => Promise<void>;
}

/** Of a process that could not write because nobody reads any more: 128 + SIGPIPE. */
const STATUS_OF_CLOSED_PIPE = 141;

/**
 * Runs a command and gives the exit status: 2 where the command line is wrong, 1 where something
 * else is, with one line on stderr that says what.
 */
export async function runModelCommand<Options, Model extends Closable>(
  args: readonly string[],
  { help, parse, open, use, surroundings }: ModelCommand<Options, Model> & {
    readonly surroundings: Surroundings;
  },
): Promise<number> {
  const { stdout, stderr } = surroundings;
  const interruption = new AbortController();
  const { signal } = interruption;
  using _listener = surroundings.onInterrupt((status) => interruption.abort(status));
  try {
    if (asksForHelp(args)) {
      stdout.write(help);
      return 0;
    }
    const options = await abortable(Promise.resolve(parse(args)), signal);
    await using opened = await waitForModel(open(options), signal);
    await use(opened.model, { options, signal });
    return 0;
  } catch (error) {
    if (signal.aborted) return signal.reason as number; // The status that it was aborted with.
    if (error instanceof Deno.errors.BrokenPipe) return STATUS_OF_CLOSED_PIPE;
    stderr.write(errorLine(error, stderr) + "\n");
    return error instanceof UsageError ? 2 : 1;
  }
}

/** Waits for the model until `signal` is aborted; one that comes later is closed at once. */
async function waitForModel<Model extends Closable>(
  opening: Promise<Model>,
  signal: AbortSignal,
): Promise<AsyncDisposable & { readonly model: Model }> {
  try {
    const model = await abortable(opening, signal);
    return {
      model,
      async [Symbol.asyncDispose]() {
        const closing = model.close();
        // After Ctrl-C nobody waits: the process ends, and the device is free with it.
        if (signal.aborted) closing.catch(() => {});
        else await closing;
      },
    };
  } catch (error) {
    if (signal.aborted) opening.then((model) => model.close()).catch(() => {});
    throw error;
  }
}

/** One line, whatever the message: it may come from files that nobody vouches for. */
export function errorLine(error: unknown, output: TerminalOutput): string {
  const message = error instanceof Error ? error.message : String(error);
  const line = message.replace(/\s*\n\s*/g, " ");
  return output.isTerminal ? printable(line) : line;
}

/** What there is outside of tests. */
export function processSurroundings(): Surroundings {
  return {
    stdin: processInput(),
    stdout: processOutput(Deno.stdout),
    stderr: processOutput(Deno.stderr),
    randomBytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
    onInterrupt: listenToSignals,
  };
}

function listenToSignals(interrupt: Interrupt): Disposable {
  const listeners = ([["SIGINT", 130], ["SIGTERM", 143]] as const).map(([signal, status]) => {
    const listener = () => {
      // A second one finds no listener and ends the process as it always does.
      if (interrupt(status) !== "again") remove();
    };
    Deno.addSignalListener(signal, listener);
    return [signal, listener] as const;
  });
  const remove = () => {
    for (const [signal, listener] of listeners) Deno.removeSignalListener(signal, listener);
  };
  return { [Symbol.dispose]: remove };
}
