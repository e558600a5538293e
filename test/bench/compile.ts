/**
 * Prints, as JSON, the seconds that a first generation takes beyond a second one: loading the shipped
 * model, a prompt, blocks drawn in several ways. All pipelines of the model are compiled in the
 * first; uploads and the work itself are the same in both. CPU time where the CPU compiles and runs:
 * one thread at a time compiles.
 */
import { SHIPPED_MODEL } from "../../src/commands/config.ts";
import { Gpu } from "../../src/gpu/mod.ts";
import { DeviceEngine, requestOf } from "../support/device_engine.ts";
import { cpuSeconds } from "./cpu.ts";
import { promptOf } from "./step_bench.ts";

// One row through the head, all rows of a block, and larger blocks.
const REQUESTS = [
  { strategy: { strategy: "first_hitting" }, blockSize: 8 },
  { strategy: { strategy: "low_confidence_dynamic", threshold: 0.9 }, blockSize: 8 },
  { strategy: { strategy: "low_confidence_static" }, blockSize: 16 },
] as const;

using gpu = await Gpu.open();
const first = await generate();
console.log(JSON.stringify(first - await generate()));
Deno.exit(0);

async function generate(): Promise<number> {
  const begin = seconds();
  await using engine = await DeviceEngine.open(gpu, SHIPPED_MODEL.directory, {
    slots: REQUESTS.length,
    format: "f16",
  });
  for (const request of REQUESTS) {
    const maxTokens = 2 * request.blockSize;
    await engine.generate([requestOf(promptOf(32), { ...request, maxTokens, topP: 0.9 })]);
  }
  return seconds() - begin;
}

function seconds(): number {
  return gpu.isCpu ? cpuSeconds() : performance.now() / 1000;
}
