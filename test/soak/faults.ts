import { delay } from "@std/async";
import type { TestServer } from "../support/test_server.ts";
import type { Tally } from "./tally.ts";
import { below } from "./workload.ts";

/** Longest time between two faults. */
const PAUSE_MS = 20_000;
/** Time in which the server must take work again. */
const RETURN_MS = 60_000;

/** Orders faults now and then, one after the other, until the signal. */
export async function orderFaults(
  server: TestServer,
  { tally, draw, signal }: {
    readonly tally: Tally;
    readonly draw: () => number;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  while (!signal.aborted) {
    await delay(PAUSE_MS * draw(), { signal }).catch(() => {});
    if (signal.aborted) return;
    const fault = draw() < 0.5 ? "device_lost" : "forward_error";
    try {
      const { status } = await server.post("/debug/faults", { fault, ms: below(draw, 500) });
      if (status !== 204) throw new Error(`the order is answered with ${status}`);
      tally.count(`${fault} ordered`);
      // A second loss before the return from the first would be none.
      await untilReady(server);
    } catch (error) {
      tally.fail(`${fault}: ${error instanceof Error ? error.message : error}`);
    }
  }
}

async function untilReady(server: TestServer): Promise<void> {
  const deadline = performance.now() + RETURN_MS;
  while (performance.now() < deadline) {
    const response = await server.get("/ready");
    await response.body?.cancel();
    if (response.ok) return;
    await delay(10);
  }
  throw new Error(`the server is not ready ${RETURN_MS} ms after it`);
}
