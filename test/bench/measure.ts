import { type Gpu, type Pass, Readback, type Tensor } from "../../src/gpu/mod.ts";
import { cpuSeconds, median } from "./cpu.ts";

const ROUNDS = 7;
/** How long a job runs in one round, by the clock of {@linkcode deviceSeconds}. */
const ROUND_SECONDS = 0.03;
/** From here on a try says how many fill a round. */
const TRY_SECONDS = 0.008;
/** What a submission may hold. */
const MAX_TIMES = 4096;

/** Does one thing that many times, and waits until it is done. */
export type Job = (times: number) => Promise<void>;

/**
 * Seconds that the work of a device took so far. On a software adapter the CPU time of all threads
 * / 2, as if two cores shared it without loss; by the clock elsewhere.
 */
export function deviceSeconds(gpu: Gpu): number {
  return gpu.isCpu ? cpuSeconds() / 2 : performance.now() / 1000;
}

/** `unit`, with what the clock of {@linkcode deviceSeconds} counts. */
export function deviceUnit(gpu: Gpu, unit: string): string {
  return gpu.isCpu ? `${unit}, two cores` : unit;
}

/**
 * Measures jobs in turn, round by round, so that whatever changes on the machine changes all.
 *
 * @returns By name of the job, seconds that it takes once, one a round.
 */
export async function interleave<Name extends string>(
  gpu: Gpu,
  jobs: Readonly<Record<Name, Job>>,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(jobs) as Name[]; // The keys of a record.
  const times = {} as Record<Name, number>; // Filled for all names by the loop below.
  const seconds = {} as Record<Name, number[]>; // Likewise.
  for (const name of names) {
    times[name] = await fill(gpu, jobs[name]);
    seconds[name] = [];
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of names) {
      seconds[name].push(await timed(gpu, jobs[name], times[name]) / times[name]);
    }
  }
  return seconds;
}

/** The middle one of the ratios that two jobs had in each round. */
export function ratio(over: readonly number[], under: readonly number[]): number {
  return median(over.map((value, round) => value / under[round]!));
}

/** How often a job fills a round. Everything it needs is compiled afterwards. */
async function fill(gpu: Gpu, job: Job): Promise<number> {
  await job(1);
  for (let times = 1;; times *= 2) {
    const seconds = await timed(gpu, job, times);
    if (seconds < TRY_SECONDS && times < MAX_TIMES) continue;
    return Math.min(MAX_TIMES, Math.max(1, Math.round(times * ROUND_SECONDS / seconds)));
  }
}

async function timed(gpu: Gpu, job: Job, times: number): Promise<number> {
  const before = deviceSeconds(gpu);
  await job(times);
  return deviceSeconds(gpu) - before;
}

/** Makes jobs of what a pass records. */
export class PassJobs implements Disposable {
  readonly #gpu: Gpu;
  readonly #readback: Readback;
  readonly #mark: Tensor;

  private constructor(gpu: Gpu, readback: Readback) {
    this.#gpu = gpu;
    this.#readback = readback;
    this.#mark = gpu.tensor("mark", [4]);
  }

  static async open(gpu: Gpu): Promise<PassJobs> {
    return new PassJobs(gpu, await Readback.open(gpu, 16));
  }

  /** A job that records as often as it is told into one submission. */
  job(record: (pass: Pass) => void, gpu = this.#gpu): Job {
    return async (times) => {
      const pass = gpu.pass();
      for (let i = 0; i < times; i++) record(pass);
      pass.submit([{ from: this.#mark, to: this.#readback.buffer, bytes: 16 }]);
      await this.#readback.read(16);
    };
  }

  [Symbol.dispose](): void {
    this.#readback[Symbol.dispose]();
    this.#mark[Symbol.dispose]();
  }
}
