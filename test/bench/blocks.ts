import { SHIPPED_MODEL } from "../../src/commands/config.ts";
import { Gpu } from "../../src/gpu/mod.ts";
import { GpuDenoiser } from "../../src/model/mod.ts";
import { loadNetwork } from "../support/forward.ts";
import { median } from "./cpu.ts";
import type { Figures } from "./figures.ts";
import { deviceUnit, interleave, type Job, ratio } from "./measure.ts";
import { HUB_CONFIG, withRandomModel } from "./random_model.ts";
import { blockOptions, promptOf, ROWS } from "./step_bench.ts";

const ROUNDS = 7;
/** Denoising steps of the block that is submitted in several ways. */
const STEPS = 8;
const PASS = { lanes: [0], prompts: [] };

/** Where the window of 1,024 begins to slide, and far behind. */
const POSITIONS = [1024, 4000] as const;
// Two layers do as well as twelve for a ratio, and little vocabulary leaves most to attention.
const SLIDING_CONFIG = { ...HUB_CONFIG, n_blocks: 2, vocab_size: 4096 };

/** Ways to submit a block, by what the host waits for. */
interface Ways {
  /** All passes at once. */
  readonly once: number[];
  /** Each pass, read by {@linkcode Readback}. */
  readonly read: number[];
  /** Each pass, with an awaited `mapAsync`. */
  readonly awaited: number[];
}

/** Blocks as the engine submits them against passes awaited one by one, by the clock. */
export async function benchSubmissions(): Promise<Figures> {
  using gpu = await Gpu.open();
  using network = loadNetwork(gpu, SHIPPED_MODEL.directory, { format: "f16" });
  using denoiser = await GpuDenoiser.open(gpu, network, { slots: 1, prefixCache: false });
  const ways = await timeWays(gpu, denoiser);
  const ms = (times: readonly number[]) => ({ value: median(times), unit: "ms" });
  const name = `block of ${STEPS} steps`;
  return {
    [`${name}, one submission`]: ms(ways.once),
    [`${name}, each read before the next`]: ms(ways.read),
    [`${name}, each awaited with mapAsync`]: ms(ways.awaited),
    [`${name}, one submission / each awaited`]: {
      value: ratio(ways.once, ways.awaited),
      unit: "times",
      goal: { atMost: 0.6 },
    },
    [`${name}, one submission / each read`]: {
      value: ratio(ways.once, ways.read),
      unit: "times",
    },
  };
}

/** Milliseconds of a block in each way, in turn. */
async function timeWays(gpu: Gpu, denoiser: GpuDenoiser): Promise<Ways> {
  const options = blockOptions({
    prompt: promptOf(256 - ROWS),
    strategy: { strategy: "low_confidence_static", steps: STEPS },
  });
  using mark = gpu.tensor("mark", [4]);
  const passByPass = async (
    wait: (burst: ReturnType<GpuDenoiser["record"]>) => Promise<unknown>,
  ) => {
    for (let step = 0; step < STEPS; step++) {
      const burst = denoiser.record([PASS]);
      burst.submit();
      await wait(burst);
    }
  };
  const timed = async (run: () => Promise<unknown>) => {
    denoiser.open(0, options);
    const begin = performance.now();
    await run();
    const ms = performance.now() - begin;
    denoiser.close(0, null);
    return ms;
  };
  const once = () => {
    const burst = denoiser.record(Array.from({ length: STEPS }, () => PASS));
    burst.submit();
    return burst.read();
  };
  await timed(once); // Compiles.
  const ways: Ways = { once: [], read: [], awaited: [] };
  for (let round = 0; round < ROUNDS; round++) {
    ways.once.push(await timed(once));
    ways.read.push(await timed(() => passByPass((burst) => burst.read())));
    // Gpu.read() awaits its mapping.
    ways.awaited.push(await timed(() => passByPass(() => gpu.read(mark))));
  }
  return ways;
}

/** A block far behind the point where the window slides against one at it. */
export function benchPositions(): Promise<Figures> {
  return withRandomModel(SLIDING_CONFIG, async (directory) => {
    using gpu = await Gpu.open();
    using network = loadNetwork(gpu, directory, { format: "f16" });
    using denoiser = await GpuDenoiser.open(gpu, network, { slots: 1, prefixCache: false });
    const jobs: Record<string, Job> = Object.fromEntries(
      POSITIONS.map((position) => [position, blockJob(denoiser, position)]),
    );
    const seconds = await interleave(gpu, jobs);
    const [near, far] = POSITIONS.map((position) => seconds[position]!); // Both are jobs.
    const ms = (times: readonly number[]) => ({
      value: 1000 * median(times),
      unit: deviceUnit(gpu, "ms"),
    });
    return {
      "block at position 1,024, 2x768": ms(near!),
      "block at position 4,000, 2x768": ms(far!),
      "block at position 4,000 / at 1,024": {
        value: ratio(far!, near!),
        unit: "times",
        goal: { atMost: 1.05 },
      },
    };
  });
}

/** Generates the block at a position, on an empty cache: keys are keys. */
function blockJob(denoiser: GpuDenoiser, position: number): Job {
  const options = blockOptions({
    prompt: promptOf(position),
    strategy: { strategy: "first_hitting" },
  });
  return async (times) => {
    for (let i = 0; i < times; i++) {
      denoiser.open(0, options);
      const burst = denoiser.record(Array.from({ length: ROWS }, () => PASS));
      burst.submit();
      await burst.read();
      denoiser.close(0, null);
    }
  };
}
