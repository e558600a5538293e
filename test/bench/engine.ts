import { SHIPPED_MODEL } from "../../src/commands/config.ts";
import { Gpu } from "../../src/gpu/mod.ts";
import type { Burst, Denoiser } from "../../src/model/denoiser.ts";
import { DeviceEngine, requestOf } from "../support/device_engine.ts";
import { median } from "./cpu.ts";
import type { Figures } from "./mod.ts";

// "Once upon a time" with the model's BOS.
const PROMPT = [4094, 422, 429, 258, 395];
const TOKENS = 128;
const ROUNDS = 3;

/** Adds up how long the device had nothing to do while there was work. */
class IdleClock {
  idleMs = 0;
  busyMs = 0;
  #doneAt: number | null = null;

  /** Watches every burst of `denoiser`. */
  watch(denoiser: Denoiser): void {
    const record = denoiser.record.bind(denoiser);
    denoiser.record = (passes): Burst => {
      const burst = record(passes);
      let submittedAt = 0;
      return {
        submit: () => {
          burst.submit();
          submittedAt = performance.now();
          if (this.#doneAt !== null) this.idleMs += submittedAt - this.#doneAt;
        },
        read: async () => {
          const results = await burst.read();
          this.#doneAt = performance.now();
          this.busyMs += this.#doneAt - submittedAt;
          return results;
        },
      };
    };
  }

  /** Begins anew; the next burst follows a pause that is nobody's fault. */
  reset(): void {
    this.idleMs = 0;
    this.busyMs = 0;
    this.#doneAt = null;
  }
}

/** Tokens per second, time to the first block and passes per token of the shipped model. */
export async function benchEngine(): Promise<Figures> {
  using gpu = await Gpu.open();
  await using engine = await DeviceEngine.open(gpu, SHIPPED_MODEL.directory, {
    slots: 16,
    format: "f16",
  });
  const clock = new IdleClock();
  clock.watch(engine.denoiser);
  await run(engine, 16);
  const one = await measure(engine, clock, 1);
  const eight = await measure(engine, clock, 8);
  const sixteen = await measure(engine, clock, 16);
  const dynamic = await run(engine, 1, "low_confidence_dynamic");
  return {
    "tokens per second, 1 stream": { value: one.rate, unit: "tokens/s" },
    "tokens per second, 8 streams": { value: eight.rate, unit: "tokens/s" },
    "throughput of 8 streams / 1 stream": { value: eight.rate / one.rate, unit: "times" },
    "throughput of 16 streams / 1 stream": { value: sixteen.rate / one.rate, unit: "times" },
    "time to first block, idle engine": { value: one.firstBlockMs, unit: "ms" },
    "passes per token, first_hitting": { value: one.passesPerToken, unit: "passes" },
    "passes per token, low_confidence_dynamic": { value: dynamic.passesPerToken, unit: "passes" },
    "device waits for the host, 1 stream": { value: 100 * one.idle, unit: "% of wall time" },
    "device waits for the host, 8 streams": { value: 100 * eight.idle, unit: "% of wall time" },
  };
}

/** What some streams side by side came to. */
interface Run {
  readonly rate: number;
  readonly firstBlockMs: number;
  readonly passesPerToken: number;
  /** Share of the time that the device waited for the host. */
  readonly idle: number;
}

async function measure(engine: DeviceEngine, clock: IdleClock, streams: number): Promise<Run> {
  const rounds: Run[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    clock.reset();
    const figures = await run(engine, streams);
    rounds.push({ ...figures, idle: clock.idleMs / (clock.idleMs + clock.busyMs) });
  }
  const of = (name: keyof Run) => median(rounds.map((each) => each[name]));
  return {
    rate: of("rate"),
    firstBlockMs: of("firstBlockMs"),
    passesPerToken: of("passesPerToken"),
    idle: of("idle"),
  };
}

async function run(
  engine: DeviceEngine,
  streams: number,
  strategy: "first_hitting" | "low_confidence_dynamic" = "first_hitting",
): Promise<Omit<Run, "idle">> {
  const requests = Array.from({ length: streams }, (_, seed) =>
    requestOf(PROMPT, {
      maxTokens: TOKENS,
      blockSize: 8,
      topP: 0.9,
      seed,
      strategy: strategy === "first_hitting" ? { strategy } : { strategy, threshold: 0.9 },
    }));
  const begin = performance.now();
  const outcomes = await engine.generate(requests);
  const seconds = (performance.now() - begin) / 1000;
  const events = outcomes.flatMap((each) => each.events);
  const tokens = outcomes.reduce((sum, each) => sum + each.tokens.length, 0);
  const passes = events.reduce((sum, each) => sum + (each.type === "end" ? each.passes : 0), 0);
  const first = events.find((each) => each.type === "block" && each.index === 0);
  return {
    rate: tokens / seconds,
    firstBlockMs: first?.type === "block" ? first.ms : NaN,
    passesPerToken: passes / tokens,
  };
}
