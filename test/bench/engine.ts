import { SHIPPED_MODEL } from "../../src/commands/config.ts";
import type { SequenceRequest } from "../../src/engine/request.ts";
import { Gpu } from "../../src/gpu/mod.ts";
import type { Burst, Denoiser } from "../../src/model/denoiser.ts";
import { DeviceEngine, requestOf } from "../support/device_engine.ts";
import { median } from "./cpu.ts";
import type { Figures } from "./figures.ts";
import { deviceSeconds, deviceUnit } from "./measure.ts";
import { HUB_CONFIG, withRandomModel } from "./random_model.ts";

// "Once upon a time" with the model's BOS.
const PROMPT = [4094, 422, 429, 258, 395];
const TOKENS = 128;
/** Tokens of a prompt that comes again. */
const REPEATED = 512;
const ROUNDS = 3;
const DYNAMIC = { strategy: "low_confidence_dynamic", threshold: 0.9 } as const;

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
  const bench = { gpu, engine };
  await run(bench, 16, { maxTokens: 16 }); // Compiles.
  const one = await measure(bench, clock, 1);
  const eight = await measure(bench, clock, 8);
  const sixteen = await measure(bench, clock, 16);
  const dynamic = await run(bench, 1, { strategy: DYNAMIC });
  const unit = deviceUnit(gpu, "tokens/s");
  return {
    "tokens per second, 1 stream": { value: one.rate, unit, goal: { atLeast: 90 } },
    "tokens per second, 8 streams": { value: eight.rate, unit },
    "tokens per second, 16 streams": { value: sixteen.rate, unit },
    "tokens per second by the clock, 1 stream": { value: one.wallRate, unit: "tokens/s" },
    "tokens per second by the clock, 8 streams": { value: eight.wallRate, unit: "tokens/s" },
    "tokens per second by the clock, 16 streams": { value: sixteen.wallRate, unit: "tokens/s" },
    "throughput of 8 streams / 1 stream": { value: eight.rate / one.rate, unit: "times" },
    "throughput of 16 streams / 1 stream": {
      value: sixteen.rate / one.rate,
      unit: "times",
      goal: { atLeast: 1.5 },
    },
    "time to first block, idle engine": { value: one.firstBlockMs, unit: "ms" },
    "passes per token, first_hitting": { value: one.passesPerToken, unit: "passes" },
    "passes per token, low_confidence_dynamic": { value: dynamic.passesPerToken, unit: "passes" },
    "device waits for the host, 1 stream": { value: 100 * one.idle, unit: "% of wall time" },
    "device waits for the host, 8 streams": { value: 100 * eight.idle, unit: "% of wall time" },
    ...await benchHubModel(gpu),
  };
}

/** The first tokens of one stream of a model of the published shape. */
function benchHubModel(gpu: Gpu): Promise<Figures> {
  return withRandomModel(HUB_CONFIG, async (directory) => {
    await using engine = await DeviceEngine.open(gpu, directory, { slots: 1, format: "f16" });
    const { blockSize } = engine.network.config;
    await run({ gpu, engine }, 1, { blockSize, maxTokens: 2 * blockSize }); // Compiles.
    const { rate, wallRate } = await run({ gpu, engine }, 1, { blockSize });
    const name = `tokens per second, hub size, first ${TOKENS}`;
    return {
      [name]: { value: rate, unit: deviceUnit(gpu, "tokens/s"), goal: { atLeast: 12 } },
      [`${name}, by the clock`]: { value: wallRate, unit: "tokens/s" },
      ...await benchPrefix({ gpu, engine }),
    };
  });
}

/** A prompt that comes again. */
async function benchPrefix({ gpu, engine }: Bench): Promise<Figures> {
  const { blockSize, vocabSize } = engine.network.config;
  const rounds: { readonly first: number; readonly second: number }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const prompt = Array.from({ length: REPEATED }, (_, i) => (i * i + round) % (vocabSize - 1));
    // A block in one step: what is left is the prompt.
    const strategy = { strategy: "sequential", steps: 1 } as const;
    const request = requestOf(prompt, { maxTokens: blockSize, blockSize, strategy });
    const seconds: number[] = [];
    for (const choice of [0, 1]) {
      const before = deviceSeconds(gpu);
      await engine.generate([{ ...request, choice }]);
      seconds.push(deviceSeconds(gpu) - before);
    }
    rounds.push({ first: seconds[0]!, second: seconds[1]! });
  }
  const of = (name: "first" | "second") => median(rounds.map((each) => each[name]));
  const name = `first block after ${REPEATED} tokens of prompt, hub size`;
  return {
    [name]: { value: 1000 * of("first"), unit: deviceUnit(gpu, "ms") },
    [`${name}, again`]: { value: 1000 * of("second"), unit: deviceUnit(gpu, "ms") },
    [`${name}, again / at first`]: {
      value: of("second") / of("first"),
      unit: "times",
      goal: { atMost: 0.2 },
    },
  };
}

/** An engine and the device that it runs on. */
interface Bench {
  readonly gpu: Gpu;
  readonly engine: DeviceEngine;
}

/** What some streams side by side came to. */
interface Run {
  /** Tokens per second by the clock of {@linkcode deviceSeconds}, and by the clock. */
  readonly rate: number;
  readonly wallRate: number;
  readonly firstBlockMs: number;
  readonly passesPerToken: number;
  /** Share of the time that the device waited for the host. */
  readonly idle: number;
}

async function measure(bench: Bench, clock: IdleClock, streams: number): Promise<Run> {
  const rounds: Run[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    clock.reset();
    const figures = await run(bench, streams);
    rounds.push({ ...figures, idle: clock.idleMs / (clock.idleMs + clock.busyMs) });
  }
  const of = (name: keyof Run) => median(rounds.map((each) => each[name]));
  return {
    rate: of("rate"),
    wallRate: of("wallRate"),
    firstBlockMs: of("firstBlockMs"),
    passesPerToken: of("passesPerToken"),
    idle: of("idle"),
  };
}

async function run(
  { gpu, engine }: Bench,
  streams: number,
  options: Partial<SequenceRequest> = {},
): Promise<Omit<Run, "idle">> {
  const requests = Array.from(
    { length: streams },
    (_, seed) =>
      requestOf(PROMPT, { maxTokens: TOKENS, blockSize: 8, topP: 0.9, seed, ...options }),
  );
  const [begin, before] = [performance.now(), deviceSeconds(gpu)];
  const outcomes = await engine.generate(requests);
  const seconds = deviceSeconds(gpu) - before;
  const wallSeconds = (performance.now() - begin) / 1000;
  const events = outcomes.flatMap((each) => each.events);
  const tokens = outcomes.reduce((sum, each) => sum + each.tokens.length, 0);
  const passes = events.reduce((sum, each) => sum + (each.type === "end" ? each.passes : 0), 0);
  const first = events.find((each) => each.type === "block" && each.index === 0);
  return {
    rate: tokens / seconds,
    wallRate: tokens / wallSeconds,
    firstBlockMs: first?.type === "block" ? first.ms : NaN,
    passesPerToken: passes / tokens,
  };
}
