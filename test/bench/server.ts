import { OpenStream, until } from "../support/open_stream.ts";
import { connectRaw, postText } from "../support/raw_http.ts";
import { residentBytes } from "../support/resident_memory.ts";
import { TestServer } from "../support/test_server.ts";
import { median } from "./cpu.ts";
import type { Figures } from "./figures.ts";

const ROUNDS = 3;
const STREAMS = 8;
const TOKENS = 4000;
const CLIENTS = 200;
const READERS = 16;
const LEAVERS = 60;
const MIB = 1 << 20;

/** What HTTP costs, with a scripted model that takes no time: the test server from outside. */
export async function benchServer(): Promise<Figures> {
  return {
    ...await benchEvents(),
    ...await benchHealth(),
    ...await benchCancel(),
    ...await benchDrain(),
    ...await benchMemory(),
  };
}

async function benchEvents(): Promise<Figures> {
  await using server = await TestServer.start("--test-step-ms", "0");
  const rate = async (blockSize: number) => {
    const rates: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const begin = performance.now();
      const request = { prompt: "again ", max_tokens: TOKENS, block_size: blockSize };
      await Promise.all(Array.from({ length: STREAMS }, async () => {
        // Not looked at: what a client does with it is no cost of the server.
        await (await server.post("/v1/blocks", request)).arrayBuffer();
      }));
      const events = STREAMS * TOKENS / blockSize;
      rates.push(1000 * events / (performance.now() - begin));
    }
    return median(rates);
  };
  const unit = "events/s";
  return {
    "block events per second, 8 streams, blocks of 4": {
      value: await rate(4),
      unit,
      goal: { atLeast: 2000 },
    },
    "block events per second, 8 streams, blocks of 1": { value: await rate(1), unit },
  };
}

/** How long `/health` takes while far more clients come than there are places. */
async function benchHealth(): Promise<Figures> {
  await using server = await TestServer.start("--max-concurrent", "4", "--max-queue", "8");
  const request = { prompt: "again ", max_tokens: 100 };
  let isOver = false;
  const client = async () => {
    while (!isOver) await (await server.post("/v1/blocks", request)).arrayBuffer();
  };
  const clients = Array.from({ length: CLIENTS }, client);
  const times: number[] = [];
  for (let i = 0; i < 100; i++) {
    const begin = performance.now();
    await (await server.get("/health")).body?.cancel();
    times.push(performance.now() - begin);
  }
  isOver = true;
  await Promise.all(clients);
  times.sort((a, b) => a - b);
  const name = `/health while ${CLIENTS} clients ask for 4 + 8 places`;
  return {
    [`${name}, median`]: { value: median(times), unit: "ms" },
    [`${name}, p95`]: { value: times[94]!, unit: "ms", goal: { atMost: 250 } },
  };
}

/** How long the next one waits when many leave. */
async function benchCancel(): Promise<Figures> {
  await using server = await TestServer.start();
  const request = { prompt: "on and on, ", max_tokens: TOKENS, resume_ms: 0 };
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const streams = await Promise.all(
      Array.from(
        { length: LEAVERS },
        () => OpenStream.open(server, request, { part: "event: start" }),
      ),
    );
    const begin = performance.now();
    await Promise.all([
      ...streams.map((each) => each.leave()),
      server.blocks({ prompt: "next", max_tokens: 4 }),
    ]);
    times.push(performance.now() - begin);
  }
  const name = `next answer when ${LEAVERS} clients leave`;
  return { [name]: { value: median(times), unit: "ms", goal: { atMost: 2000 } } };
}

/** How long a signal takes to be obeyed. */
async function benchDrain(): Promise<Figures> {
  const refusals: number[] = [];
  const exits: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await using server = await TestServer.start();
    const request = { prompt: "again ", max_tokens: 100 };
    const streams = await Promise.all(
      Array.from({ length: STREAMS }, () => OpenStream.open(server, request)),
    );
    const begin = performance.now();
    server.signal("SIGTERM");
    await (await until(503, () => server.post("/v1/blocks", request))).body?.cancel();
    refusals.push(performance.now() - begin);
    await Promise.all(streams.map((each) => each.readToEnd()));
    const end = performance.now();
    await server.status;
    exits.push(performance.now() - end);
  }
  return {
    "first 503 after SIGTERM, 8 streams": {
      value: median(refusals),
      unit: "ms",
      goal: { atMost: 50 },
    },
    "exit after the last event": { value: median(exits), unit: "ms", goal: { atMost: 2000 } },
  };
}

async function benchMemory(): Promise<Figures> {
  await using server = await TestServer.start("--test-step-ms", "0", "--max-concurrent", "16");
  const request = { prompt: "again ", max_tokens: 200 };
  const run = async (rounds: number) => {
    for (let i = 0; i < rounds; i++) {
      await Promise.all(Array.from({ length: 20 }, () => server.blocks(request)));
    }
    return await residentBytes(server.pid);
  };
  const before = await run(5);
  const after = await run(20);
  const long = { prompt: "again ", max_tokens: TOKENS, block_size: 1, resume_ms: 0 };
  const readers = await Promise.all(
    Array.from({ length: READERS }, () => connectRaw(server.address, postText("/v1/blocks", long))),
  );
  // There is no place for these before the readers' work is done.
  const held = await run(1);
  for (const each of readers) each.close();
  return {
    "growth over 400 streams of 50 blocks": {
      value: (after - before) / MIB,
      unit: "MiB",
      goal: { atMost: 96 },
    },
    [`a reader that never reads ${TOKENS} blocks`]: {
      value: (held - after) / READERS / MIB,
      unit: "MiB",
      goal: { atMost: 16 },
    },
  };
}
