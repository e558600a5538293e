import { Gpu } from "../../src/gpu/mod.ts";
import { TestServer } from "../support/test_server.ts";
import { median } from "./cpu.ts";
import type { Figures } from "./figures.ts";

const CLIENTS = [1, 2, 4, 16];
const TOKENS = 128;
const ROUNDS = 3;

/** As many as `deno task serve` would start at most. */
const ENGINES = String(Math.min(8, navigator.hardwareConcurrency));
const ALL_CORES = "one engine on all cores";
const PER_CORE = "an engine a core";
/** Ways to use the cores, by name. What is empty counts as unset. */
const WAYS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  [ALL_CORES]: { BD_ENGINES: "", LP_NUM_THREADS: "" },
  "one engine without threads": { BD_ENGINES: "", LP_NUM_THREADS: "0" },
  [PER_CORE]: { BD_ENGINES: ENGINES, LP_NUM_THREADS: "0" },
};

/** What clients of the shipped model get over HTTP, by how a software adapter uses the cores. */
export async function benchEngines(): Promise<Figures> {
  if (!await isSoftwareAdapter()) return {};
  await using all = new AsyncDisposableStack();
  const servers: TestServer[] = [];
  for (const environment of Object.values(WAYS)) {
    const server = await TestServer.startWithDeviceIn(environment, "--max-concurrent", "16");
    servers.push(all.use(server));
  }
  // By way and by number of clients.
  const rates = servers.map(() => CLIENTS.map((): number[] => []));
  // The first round compiles, and is not counted.
  for (let round = -1; round < ROUNDS; round++) {
    for (const [n, clients] of CLIENTS.entries()) {
      for (const [i, server] of servers.entries()) {
        const rate = await tokensPerSecond(server, clients);
        if (round >= 0) rates[i]![n]!.push(rate);
      }
    }
  }
  const figures: Figures = {};
  for (const [n, clients] of CLIENTS.entries()) {
    const by = `shipped model over HTTP, ${clients} at a time`;
    for (const [i, way] of Object.keys(WAYS).entries()) {
      figures[`${by}, ${way}`] = { value: median(rates[i]![n]!), unit: "tokens/s by the clock" };
    }
    figures[`${by}, ${PER_CORE} / ${ALL_CORES}`] = {
      // Just filled.
      value: figures[`${by}, ${PER_CORE}`]!.value / figures[`${by}, ${ALL_CORES}`]!.value,
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

async function tokensPerSecond(server: TestServer, clients: number): Promise<number> {
  const begin = performance.now();
  await Promise.all(Array.from({ length: clients }, async (_, seed) => {
    const request = { prompt: "Once upon a time", max_tokens: TOKENS, seed, ignore_eos: true };
    const response = await server.post("/v1/blocks", request);
    const text = await response.text();
    if (!text.includes("event: done")) throw new Error(`Cannot measure: ${text.slice(-300)}`);
  }));
  return 1000 * clients * TOKENS / (performance.now() - begin);
}
