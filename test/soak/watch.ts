import { delay } from "@std/async";
import { residentBytes } from "../support/resident_memory.ts";
import type { TestServer } from "../support/test_server.ts";
import type { Tally } from "./tally.ts";

const SAMPLE_MS = 1000;
const MINUTE_MS = 60_000;
const MIB = 1 << 20;
/** Caches and the heap have found their size by then. */
const FLAT_FROM_MINUTE = 10;
/** A line through fewer says little. */
const LEAST_MINUTES = 5;

/** How much memory the server held at some time. */
export interface MemorySample {
  readonly minute: number;
  readonly bytes: number;
}

/** Looks at a server once a second, and tells about it once a minute. */
export class Watch {
  readonly #server: TestServer;
  readonly #tally: Tally;
  readonly #memory: MemorySample[] = [];
  readonly #healthMs: number[] = [];

  constructor(server: TestServer, tally: Tally) {
    this.#server = server;
    this.#tally = tally;
  }

  /** Looks until the signal. */
  async run(signal: AbortSignal): Promise<void> {
    const begin = performance.now();
    let told = 0;
    while (true) {
      await delay(SAMPLE_MS, { signal }).catch(() => {});
      if (signal.aborted) return;
      const minute = (performance.now() - begin) / MINUTE_MS;
      await this.#look(minute).catch((error) => this.#tally.fail(`watch: ${error.message}`));
      if (Math.floor(minute) === told) continue;
      told = Math.floor(minute);
      this.#tell(told);
    }
  }

  /** Milliseconds that 95 of 100 looks at `/health` took at most. */
  get healthP95Ms(): number {
    return this.#healthMs.toSorted((a, b) => a - b)[Math.floor(0.95 * this.#healthMs.length)] ??
      NaN;
  }

  /** The share by which the server has grown since it had found its size; `null` if too early. */
  get growth(): number | null {
    const late = lowsOf(this.#memory).filter(({ minute }) => minute >= FLAT_FROM_MINUTE);
    return late.length < LEAST_MINUTES ? null : growthOf(late);
  }

  async #look(minute: number): Promise<void> {
    this.#memory.push({ minute, bytes: await residentBytes(this.#server.pid) });
    const begin = performance.now();
    await (await this.#server.get("/health")).body?.cancel();
    this.#healthMs.push(performance.now() - begin);
  }

  #tell(minute: number): void {
    const last = this.#memory.filter((each) => each.minute > minute - 1);
    const sizes = last.map(({ bytes }) => Math.round(bytes / MIB));
    const range = `${Math.min(...sizes)} to ${Math.max(...sizes)} MiB`;
    const tally = this.#tally;
    console.log(`minute ${minute}: ${range}, ${tally.failed} failures; ${tally}`);
  }
}

/**
 * The least of every whole minute: what the heap takes for a while between two collections is no
 * growth.
 */
export function lowsOf(samples: readonly MemorySample[]): MemorySample[] {
  const lows: MemorySample[] = [];
  for (const { minute, bytes } of samples) {
    const whole = Math.floor(minute);
    const low = lows.at(-1);
    if (low?.minute !== whole) lows.push({ minute: whole, bytes });
    else if (bytes < low.bytes) lows[lows.length - 1] = { minute: whole, bytes };
  }
  return lows;
}

/** Growth from the first to the last sample along the line of least squares, as a share of the mean. */
export function growthOf(samples: readonly MemorySample[]): number {
  const meanMinute = mean(samples.map(({ minute }) => minute));
  const meanBytes = mean(samples.map(({ bytes }) => bytes));
  const spread = samples.map(({ minute }) => minute - meanMinute);
  const slope = sum(samples.map(({ bytes }, i) => (bytes - meanBytes) * spread[i]!)) /
    sum(spread.map((each) => each ** 2));
  const minutes = samples.at(-1)!.minute - samples[0]!.minute; // There are some.
  return slope * minutes / meanBytes;
}

function mean(values: readonly number[]): number {
  return sum(values) / values.length;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, each) => total + each, 0);
}
