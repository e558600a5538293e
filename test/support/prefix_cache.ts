import { assertEquals } from "@std/assert";
import type { SequenceRequest } from "../../src/engine/request.ts";
import type { Gpu } from "../../src/gpu/mod.ts";
import type { GpuDenoiser } from "../../src/model/mod.ts";
import { writeTinyCheckpoint } from "./checkpoints.ts";
import { DeviceEngine, type Outcome } from "./device_engine.ts";
import { noise } from "./noise.ts";

/** Tokens below 60: no mask of any model here. */
export function textOf(length: number, seed: number): number[] {
  return Array.from(noise(length, seed), (value) => Math.floor((value + 1) / 2 * 59.99));
}

/** What an outcome is but for times and for what the cache has saved. */
export function essence({ tokens, events }: Outcome) {
  const blocks = events.flatMap((event) => event.type === "block" ? [{ ...event, ms: 0 }] : []);
  const steps = events.filter((event) => event.type === "step");
  return { tokens, blocks, steps };
}

/** Prompt tokens that a sequence found stored. */
export function cachedTokens({ events }: Outcome): number {
  const prefilled = events.find((event) => event.type === "prefilled");
  return prefilled?.type === "prefilled" ? prefilled.cachedTokens : 0;
}

/** Runs `use` with a model that sees 1024 tokens. */
export async function withRoom(
  use: (directory: string) => Promise<void>,
  config: Record<string, unknown> = {},
): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "blockdiffusion-" });
  try {
    writeTinyCheckpoint(directory, {
      config: { model_length: 1024, hidden_dim: 32, ...config },
      hasTokenizer: false,
      seed: 11,
    });
    await use(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** What requests come to without a cache, one after the other. */
export async function withoutCache(
  gpu: Gpu,
  directory: string,
  requests: readonly SequenceRequest[],
): Promise<Outcome[]> {
  await using engine = await DeviceEngine.open(gpu, directory, { slots: 2, prefixCache: false });
  const outcomes = [];
  for (const request of requests) outcomes.push(...await engine.generate([request]));
  assertEquals(engine.denoiser.prefixCache.pages, 0);
  return outcomes;
}

/** Nobody runs or waits, and all pages are free. */
export function assertIdle({ denoiser, loop }: DeviceEngine): void {
  assertEquals(denoiser.freePages, denoiser.limits.pages);
  assertEquals(loop.load, { running: 0, waiting: 0 });
}

/** Counts the prompt rows that a denoiser is given. */
export function countPromptRows(denoiser: GpuDenoiser): { rows: number } {
  const counted = { rows: 0 };
  const record = denoiser.record.bind(denoiser);
  denoiser.record = (passes) => {
    for (const { tokens } of passes.flatMap(({ prompts }) => prompts)) {
      counted.rows += tokens.length;
    }
    return record(passes);
  };
  return counted;
}

/** Keys and values of the first pages of slot 0, layer by layer. */
export async function storedPages(gpu: Gpu, { cache }: GpuDenoiser, count: number) {
  const [, ...table] = new Uint32Array(await gpu.read(cache.layers[0]!.pages));
  const pages: Uint8Array[] = [];
  for (const tensor of cache.layers.flatMap(({ k, v }) => [k, v])) {
    const bytes = new Uint8Array(await gpu.read(tensor));
    const size = tensor.sizeBytes / cache.pages;
    for (const page of table.slice(0, count)) {
      pages.push(bytes.slice(page * size, (page + 1) * size));
    }
  }
  return pages;
}
