/**
 * Prints, as JSON, what it takes to load the checkpoint of a directory in a format and to generate one
 * block: {@linkcode LoadedSize}. Environment: `DIRECTORY`, `FORMAT`.
 */
import { cpuSeconds } from "./cpu.ts";
import { Gpu } from "../../src/gpu/mod.ts";
import type { WeightFormat } from "../../src/weights/formats.ts";
import { DeviceEngine, type Outcome, requestOf } from "../support/device_engine.ts";

/** Denoising steps of the block. */
const STEPS = 4;

/** What one process measured. */
export interface LoadedSize {
  readonly loadSeconds: number;
  /** Of all threads, while loading. */
  readonly cpuSeconds: number;
  readonly blockSeconds: number;
  readonly tokens: readonly number[];
  readonly steps: number;
  /** Memory of the process at its peak, loading and generating; of its buffers; before it began. */
  readonly peakBytes: number;
  readonly deviceBytes: number;
  readonly weightBytes: number;
  readonly startBytes: number;
}

if (import.meta.main) {
  const { DIRECTORY: directory = "", FORMAT: format = "f16" } = Deno.env.toObject();
  console.log(JSON.stringify(await load(directory, format as WeightFormat)));
  Deno.exit(0);
}

async function load(directory: string, format: WeightFormat): Promise<LoadedSize> {
  using gpu = await Gpu.open();
  const startBytes = peakBytes();
  const [begin, cpuBegin] = [performance.now(), cpuSeconds()];
  await using engine = await DeviceEngine.open(gpu, directory, { slots: 1, format });
  const loadSeconds = (performance.now() - begin) / 1000;
  const loadCpuSeconds = cpuSeconds() - cpuBegin;
  const { blockSize } = engine.network.config;
  const prompt = Array.from({ length: blockSize }, (_, i) => 100 + i);
  const request = requestOf(prompt, {
    ...{ blockSize, maxTokens: blockSize, temperature: 0 },
    strategy: { strategy: "low_confidence_static", steps: STEPS },
  });
  const loaded = performance.now();
  const [{ tokens }] = await engine.generate([request]) as [Outcome];
  return {
    loadSeconds,
    cpuSeconds: loadCpuSeconds,
    blockSeconds: (performance.now() - loaded) / 1000,
    tokens,
    steps: STEPS,
    peakBytes: peakBytes(),
    deviceBytes: Object.values(gpu.bytes).reduce((sum, each) => sum + each),
    weightBytes: gpu.bytes.weights,
    startBytes,
  };
}

/** Memory that this process has held at most. Linux only. */
function peakBytes(): number {
  const status = Deno.readTextFileSync("/proc/self/status");
  return 1024 * Number(/^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1]);
}
