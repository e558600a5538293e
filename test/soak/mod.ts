/**
 * Lets all kinds of clients, and faults, loose on the test server for a long time, and looks whether
 * it stays right and stays small: `deno task soak [--minutes N] [--model DIR] [--seed N]`.
 */
import { delay } from "@std/async";
import { parseArgs } from "@std/cli";
import { mulberry32 } from "../support/mulberry32.ts";
import { TestServer } from "../support/test_server.ts";
import { drawClient } from "./clients.ts";
import { checkBooks } from "./closing_checks.ts";
import { orderFaults } from "./faults.ts";
import { Tally } from "./tally.ts";
import { Watch } from "./watch.ts";
import { copyWorkload, referenceWorkload, type Workload } from "./workload.ts";

const USAGE = "Usage: deno task soak [--minutes N] [--model DIR] [--seed N]";
const CLIENTS = 24;
/** Fewer places than clients, so that some are refused; and no generation is forgotten too early. */
const FLAGS = ["--max-queue", "16", "--max-retained", "2000", "--test-step-ms", "1"];
/** Garbage comes and goes by 100 MiB: a growth of one per cent would drown in that. */
const LITTLE_GARBAGE = { DENO_V8_FLAGS: "--expose-gc,--max-semi-space-size=2" };
/** Longest rest of a client between two errands. */
const REST_MS = 200;
/** So many failures need no more minutes. */
const ENOUGH_FAILURES = 50;
/** Share by which the server may grow once it has found its size. */
const FLAT = 0.01;

/** What may be chosen. */
interface Options {
  readonly minutes: number;
  /** Directory of a real model; `null` is the test model. */
  readonly model: string | null;
  readonly seed: number;
}

/** What a client needs. */
interface Ground {
  readonly server: TestServer;
  /** Id of the default model. */
  readonly model: string;
  readonly workload: Workload;
  readonly tally: Tally;
  readonly draw: () => number;
  /** Ends everything. */
  readonly end: AbortController;
}

/** @throws {RangeError} If an argument cannot be used. */
function readOptions(args: readonly string[]): Options {
  const { minutes = "30", model = null, seed = "1", _: names, ...others } = parseArgs([...args], {
    string: ["minutes", "model", "seed"],
  });
  const [unknown] = [...names, ...Object.keys(others)];
  if (unknown !== undefined) throw new RangeError(`Cannot soak with "${unknown}"\n${USAGE}`);
  if (!(Number(minutes) > 0)) {
    throw new RangeError(`Cannot soak for "${minutes}" minutes, expected a number above 0`);
  }
  if (!Number.isSafeInteger(Number(seed))) {
    throw new RangeError(`Cannot soak with the seed "${seed}", expected an integer`);
  }
  return {
    minutes: Number(minutes),
    model: model === null ? null : String(model),
    seed: Number(seed),
  };
}

/** Runs for the time given and says whether all was well. */
async function soak({ minutes, model: directory, seed }: Options): Promise<boolean> {
  const ofModel = directory === null ? [] : ["--model", directory];
  const flags = ["--fault-injection", ...FLAGS, ...ofModel];
  await using server = await TestServer.startIn(LITTLE_GARBAGE, ...flags);
  const model = (await (await server.get("/v1/models")).json()).data[0].id;
  const draw = mulberry32(seed);
  const workload = directory === null ? copyWorkload : await referenceWorkload(server, draw);
  const tally = new Tally();
  const watch = new Watch(server, tally);
  console.log(`${CLIENTS} clients of ${model} for ${minutes} minutes, seed ${seed}`);

  const end = new AbortController();
  const timer = setTimeout(() => end.abort(), 60_000 * minutes);
  const ground = { server, model, workload, tally, draw, end };
  await Promise.all([
    watch.run(end.signal),
    orderFaults(server, { tally, draw, signal: end.signal }),
    ...Array.from({ length: CLIENTS }, () => keepAsking(ground)),
  ]);
  clearTimeout(timer);
  await checkEnd(server, { tally, watch });
  report(tally, watch);
  return tally.failed === 0;
}

/** Sends one client after the other. */
async function keepAsking({ workload, tally, draw, end, ...ground }: Ground): Promise<void> {
  while (!end.signal.aborted) {
    const client = drawClient(draw);
    try {
      tally.count(await client({ ...ground, draw, work: workload(draw) }));
    } catch (error) {
      tally.fail(`${client.name}: ${error instanceof Error ? error.message : error}`);
      if (tally.failed >= ENOUGH_FAILURES) end.abort();
    }
    await delay(REST_MS * draw());
  }
}

async function checkEnd(
  server: TestServer,
  { tally, watch }: { readonly tally: Tally; readonly watch: Watch },
): Promise<void> {
  if (tally.failed >= ENOUGH_FAILURES) return; // There may be no server any more.
  await checkBooks(server, tally);
  server.signal("SIGTERM");
  const { code } = await server.status;
  if (code !== 0) tally.fail(`the server ends with status ${code}`);
  for (const line of server.strayErrors) tally.fail(line);
  if (watch.growth !== null && watch.growth > FLAT) {
    tally.fail(`memory grew by ${percent(watch.growth)}, expected at most ${percent(FLAT)}`);
  }
}

function report(tally: Tally, { growth, healthP95Ms }: Watch): void {
  console.log(`clients: ${tally}`);
  const flatness = growth === null ? "not judged: the time was too short" : percent(growth);
  console.log(`growth of memory: ${flatness}`);
  console.log(`/health, 95 of 100: ${healthP95Ms.toFixed(1)} ms at most`);
  for (const each of tally.failures) console.log(`FAILED: ${each}`);
  console.log(tally.failed === 0 ? "passed" : `${tally.failed} failures`);
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}

try {
  Deno.exit(await soak(readOptions(Deno.args)) ? 0 : 1);
} catch (error) {
  if (!(error instanceof RangeError)) throw error;
  console.error(error.message);
  Deno.exit(2);
}
