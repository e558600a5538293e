import { writeTinyCheckpoint } from "../support/checkpoints.ts";
import { loadNetwork } from "../support/forward.ts";
import { gpuTest } from "../support/gpu.ts";
import { checkHeadsAlone, checkWithoutHeads } from "../support/partial_passes.ts";
import { withTempDir } from "../support/temp_dir.ts";

for (const format of ["f32", "int8"] as const) {
  gpuTest(`Bd3lm gives heads alone the bits they have among all, in ${format}`, async (gpu) => {
    using network = withTempDir((directory) => {
      const config = { time_conditioning: true };
      writeTinyCheckpoint(directory, { config, dtype: "F32", hasTokenizer: false });
      return loadNetwork(gpu, directory, { format, cacheFormat: "f16" });
    });
    await checkHeadsAlone(gpu, network);
  });
}

gpuTest("Bd3lm leaves keys and values of all layers in the cache without any head", async (gpu) => {
  using network = withTempDir((directory) => {
    writeTinyCheckpoint(directory, { config: {}, dtype: "F32", hasTokenizer: false });
    return loadNetwork(gpu, directory, { format: "f32" });
  });
  await checkWithoutHeads(gpu, network);
});
