import { type EventStream, readEventStream } from "./event_stream.ts";
import { ROOT, RunningDeno } from "./process.ts";

/** The test server (test/support/server.ts) as a process of its own. */
export class TestServer implements AsyncDisposable {
  readonly #deno: RunningDeno;
  /** `http://127.0.0.1:PORT`. */
  readonly address: string;
  /** Log lines of errors that reached nobody. */
  readonly strayErrors: string[] = [];

  private constructor(deno: RunningDeno, address: string) {
    this.#deno = deno;
    this.address = address;
    this.#drainLog();
  }

  /** Starts it with the test model on a free port and waits until it says that it listens. */
  static async start(...flags: string[]): Promise<TestServer> {
    return await TestServer.#start({}, ["--test-model", ...flags]);
  }

  /** The same with an environment beside this process's own. */
  static async startIn(
    environment: Readonly<Record<string, string>>,
    ...flags: string[]
  ): Promise<TestServer> {
    return await TestServer.#start(environment, ["--test-model", ...flags]);
  }

  /** Starts it with the models of the flags, or else with the one that ships with the project. */
  static async startWithDevice(...flags: string[]): Promise<TestServer> {
    return await TestServer.#start({}, flags);
  }

  /** The same with an environment beside this process's own. */
  static async startWithDeviceIn(
    environment: Readonly<Record<string, string>>,
    ...flags: string[]
  ): Promise<TestServer> {
    return await TestServer.#start(environment, flags);
  }

  static async #start(
    environment: Readonly<Record<string, string>>,
    flags: readonly string[],
  ): Promise<TestServer> {
    const file = `${ROOT}test/support/server.ts`;
    const args = ["run", "--allow-all", "--frozen", file, "--port", "0", ...flags];
    const deno = new RunningDeno(args, environment);
    const printed: (string | null)[] = [];
    while (printed.at(-1) !== null) {
      const line = await deno.line();
      const address = /^listening on (http:\/\/127\.0\.0\.1:\d+)$/.exec(line ?? "")?.[1];
      if (address !== undefined) return new TestServer(deno, address);
      printed.push(line);
    }
    throw new Error(`Cannot find the server's address: it printed ${printed.join("\n")}`);
  }

  /** Of the server's process. */
  get pid(): number {
    return this.#deno.process.pid;
  }

  get status(): Promise<Deno.CommandStatus> {
    return this.#deno.process.status;
  }

  signal(signal: Deno.Signal): void {
    this.#deno.process.kill(signal);
  }

  async get(path: string, init?: RequestInit): Promise<Response> {
    return await fetch(this.address + path, init);
  }

  async post(path: string, body: unknown, init?: RequestInit): Promise<Response> {
    return await fetch(this.address + path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      ...init,
    });
  }

  /** Posts to `/v1/blocks` and reads the whole stream. */
  async blocks(body: Record<string, unknown>): Promise<EventStream> {
    return await readEventStream(await this.post("/v1/blocks", body));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#deno[Symbol.asyncDispose]();
  }

  /** A pipe that nobody empties would stop the server. */
  async #drainLog(): Promise<void> {
    for (let line = await this.#deno.line(); line !== null; line = await this.#deno.line()) {
      if (line.includes('"event":"stray_error"')) this.strayErrors.push(line);
    }
  }
}
