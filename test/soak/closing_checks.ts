import { delay } from "@std/async";
import { scrape, sumOf } from "../support/metrics.ts";
import type { TestServer } from "../support/test_server.ts";
import type { Tally } from "./tally.ts";

/** Time in which everything that nobody waits for any more must have ended. */
const IDLE_MS = 30_000;

/** Checks, when all clients have gone, that nothing is left and that the books balance. */
export async function checkBooks(server: TestServer, tally: Tally): Promise<void> {
  const samples = await scrapeIdle(server);
  const get = (name: string, labels = {}) => sumOf(samples, name, { labels });
  const check = (what: string, isRight: boolean) => {
    if (!isRight) tally.fail(what);
  };
  const idle = ["bd_sequences_running", "bd_sequences_waiting"].map((name) => get(name));
  check(`sequences run or wait: ${idle}`, idle.every((each) => each === 0));
  const pages = get("bd_cache_pages", { state: "used" });
  check(`${pages} pages are in use`, pages === 0);

  const [started, ended] = [get("bd_sequences_started_total"), get("bd_sequences_total")];
  check(`${started} sequences started, ${ended} ended`, started === ended && started > 0);
  const models = (await (await server.get("/v1/models")).json()).data.length;
  const [lost, ordered] = [get("bd_device_lost_total"), tally.of("device_lost ordered")];
  check(`${lost} losses are counted, ${ordered} were ordered`, lost === ordered * models);
  // Clients that left did not see what became of them.
  const [refused, seen] = [
    get("bd_rejected_total", { code: "queue_full" }),
    tally.of("queue_full"),
  ];
  check(`${refused} refusals are counted, ${seen} were seen`, refused >= seen);
  const [errors, faults] = [tally.of("internal_error"), tally.of("forward_error ordered")];
  check(`${errors} clients saw an internal error, ${faults} were ordered`, errors <= faults);
  const whole = get("bd_sequences_total", { finish_reason: "stop" }) +
    get("bd_sequences_total", { finish_reason: "length" });
  check(`${whole} ends are counted, ${tally.of("right")} were seen`, whole >= tally.of("right"));
}

async function scrapeIdle(server: TestServer) {
  const deadline = performance.now() + IDLE_MS;
  while (true) {
    const samples = await scrape(server);
    const busy = sumOf(samples, "bd_sequences_running") + sumOf(samples, "bd_sequences_waiting");
    if (busy === 0 || performance.now() > deadline) return samples;
    await delay(100);
  }
}
