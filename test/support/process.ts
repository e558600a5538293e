import { fromFileUrl } from "@std/path";

/** The project's own directory, with a slash at its end. */
export const ROOT = fromFileUrl(new URL("../..", import.meta.url));

/** What a process printed and how it ended. */
export interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `deno` to its end without input; `environment` is added to this process's own. */
export async function runDeno(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    env: { NO_COLOR: "1", ...environment },
    cwd: ROOT,
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { status: code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** A running `deno` whose lines are read one by one. */
export class RunningDeno implements AsyncDisposable {
  readonly process: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  #rest = "";

  /** @param environment Added to this process's own. */
  constructor(args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    this.process = new Deno.Command(Deno.execPath(), {
      args: [...args],
      env: environment,
      cwd: ROOT,
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#lines = this.process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** The next line; `null` once nobody holds the process's stdout any more. */
  async line(): Promise<string | null> {
    while (!this.#rest.includes("\n")) {
      const { value, done } = await this.#lines.read();
      if (done) return null;
      this.#rest += value;
    }
    const end = this.#rest.indexOf("\n");
    const line = this.#rest.slice(0, end);
    this.#rest = this.#rest.slice(end + 1);
    return line;
  }

  /** Kills what is left. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.process.stdin.close().catch(() => {});
    try {
      this.process.kill("SIGKILL");
    } catch (error) {
      // Gone already, as most tests want it.
      if (!(error instanceof TypeError)) throw error;
    }
    await this.process.status;
    await this.#lines.cancel();
  }
}
