import { delay } from "@std/async";
import { until } from "../support/open_stream.ts";
import type { TestServer } from "../support/test_server.ts";
import type { Tally } from "./tally.ts";
import { below } from "./workload.ts";

/** Milliseconds between two faults at most. */
const PAUSE_MS = 20_000;

/** Orders faults now and then, one after the other, until the signal. */
export async function orderFaults(
  server: TestServer,
  { tally, draw, signal }: {
    readonly tally: Tally;
    readonly draw: () => number;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  while (true) {
    await delay(PAUSE_MS * draw(), { signal }).catch(() => {});
    if (signal.aborted) return;
    const fault = draw() < 0.5 ? "device_lost" : "forward_error";
    const ms = below(draw, 500);
    const response = await server.post("/debug/faults", { fault, ms });
    if (response.status !== 204) tally.fail(`the fault is answered with ${response.status}`);
    tally.count(`${fault} ordered`);
    // A second loss before the return from the first would be none.
    await (await until(200, () => server.get("/ready"))).body?.cancel();
  }
}
