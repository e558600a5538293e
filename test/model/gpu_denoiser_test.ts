import { assert, assertEquals } from "@std/assert";
import { resolve } from "@std/path";
import { GpuDenoiser } from "../../src/model/mod.ts";
import { DeviceEngine, requestOf } from "../support/device_engine.ts";
import { gpuTest } from "../support/gpu.ts";

const TINY = resolve(import.meta.dirname!, "../fixtures/bd3lm-tiny");

gpuTest("GpuDenoiser gives details to whom they are due, pass by pass", async (gpu) => {
  await using engine = await DeviceEngine.open(gpu, TINY, { slots: 2 });
  using denoiser = await GpuDenoiser.open(gpu, engine.network, { slots: 2 });
  const plain = requestOf([3, 5], {
    maxTokens: 6,
    blockSize: 8,
    strategy: { strategy: "sequential" },
  });
  const detailed = { ...plain, isDetailed: true };
  const lanes = async (order: readonly number[]) => {
    denoiser.open(0, detailed);
    denoiser.open(1, plain);
    // Passes that are alike but for the details, in one burst.
    const burst = denoiser.record(order.map((slot) => ({ lanes: [slot], prompts: [] })));
    burst.submit();
    const results = (await burst.read()).flat();
    denoiser.close(0, null);
    denoiser.close(1, null);
    return results;
  };
  const [first, other] = await lanes([0, 1]);
  const [another, second] = await lanes([1, 0]);
  assert(first?.details && second?.details);
  assertEquals(second.details, first.details);
  assertEquals(first.details.map((each) => each !== null), [0, 0, 1, 0, 0, 0, 0, 0].map(Boolean));
  assertEquals(first.details[2]!.top.length, 5);
  // Neither the plain one's entry nor its token is another one.
  assertEquals([other!.details, another!.details], [undefined, undefined]);
  const { details: _, slot: __, ...told } = first;
  assertEquals([other, another], [{ ...told, slot: 1 }, { ...told, slot: 1 }]);
});
