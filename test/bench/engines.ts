import { resolve } from "@std/path";
import { Gpu } from "../../src/gpu/mod.ts";
import { median } from "./cpu.ts";
import type { Figures } from "./figures.ts";

const ROOT = resolve(import.meta.dirname!, "../..");
const PORT = 18_441;
const CLIENTS = [1, 2, 4, 16];
const TOKENS = 128;
const ROUNDS = 3;

const NO_THREADS = { LP_NUM_THREADS: "0" };
const PER_CORE = { ...NO_THREADS, BD_ENGINES: String(navigator.hardwareConcurrency) };
/** Ways to use the cores, by name. */
const WAYS = {
  "one engine on all cores": {},
  "one engine without threads": NO_THREADS,
  "an engine a core": PER_CORE,
};

/** What clients of the shipped model get over HTTP, by how a software adapter uses the cores. */
export async function benchEngines(): Promise<Figures> {
  if (!await isSoftwareAdapter()) return {};
  await using servers = new AsyncDisposableStack();
  const names = Object.keys(WAYS) as (keyof typeof WAYS)[]; // The keys of a record.
  for (const [i, name] of names.entries()) servers.use(await Server.start(PORT + i, WAYS[name]));
  const rates = new Map(names.map((name) => [name, CLIENTS.map((): number[] => [])]));
  // The first round compiles, and is not counted.
  for (let round = -1; round < ROUNDS; round++) {
    for (const [n, clients] of CLIENTS.entries()) {
      for (const [i, name] of names.entries()) {
        const rate = await tokensPerSecond(PORT + i, clients);
        if (round >= 0) rates.get(name)![n]!.push(rate); // Filled above.
      }
    }
  }
  const figures: Figures = {};
  for (const [n, clients] of CLIENTS.entries()) {
    const by = `shipped model over HTTP, ${clients} at a time`;
    for (const name of names) {
      const value = median(rates.get(name)![n]!);
      figures[`${by}, ${name}`] = { value, unit: "tokens/s by the clock" };
    }
    figures[`${by}, an engine a core / one on all`] = {
      value: figures[`${by}, an engine a core`]!.value /
        figures[`${by}, one engine on all cores`]!.value,
      unit: "times",
      goal: { atLeast: 1 },
    };
  }
  return figures;
}

async function isSoftwareAdapter(): Promise<boolean> {
  using gpu = await Gpu.open();
  return gpu.isCpu;
}

async function tokensPerSecond(port: number, clients: number): Promise<number> {
  const begin = performance.now();
  await Promise.all(Array.from({ length: clients }, async (_, seed) => {
    const body = { prompt: "Once upon a time", max_tokens: TOKENS, seed, ignore_eos: true };
    const response = await fetch(`http://127.0.0.1:${port}/v1/blocks`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const text = await response.text();
    if (!text.includes("event: done")) throw new Error(`Cannot measure: ${text.slice(-300)}`);
  }));
  return 1000 * clients * TOKENS / (performance.now() - begin);
}

/** The server with a setting of its own. */
class Server implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
  }

  static async start(port: number, env: Record<string, string>): Promise<Server> {
    const flags = ["--port", String(port), "--max-concurrent", "16"];
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--allow-all", "main.ts", "serve", ...flags],
      cwd: ROOT,
      env,
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const lines = child.stdout.pipeThrough(new TextDecoderStream());
    for await (const text of lines.values({ preventCancel: true })) {
      if (text.includes("listening on")) break;
    }
    return new Server(child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
  }
}
