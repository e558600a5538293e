import { gpuTest } from "../support/gpu.ts";
import { checkHeadsAlone, checkWithoutHeads } from "../support/partial_passes.ts";
import { loadQwenNetwork } from "../support/qwen.ts";
import { writeTinyQwen } from "../support/qwen_checkpoints.ts";
import { withTempDir } from "../support/temp_dir.ts";

for (const format of ["f32", "int8"] as const) {
  const name = `QwenDecoder gives heads alone the bits they have among all, in ${format}`;
  gpuTest(name, async (gpu) => {
    using network = withTempDir((directory) => {
      writeTinyQwen(directory);
      return loadQwenNetwork(gpu, directory, { format, cacheFormat: "f16" });
    });
    await checkHeadsAlone(gpu, network);
  });
}

const name = "QwenDecoder leaves keys and values of all layers in the cache without any head";
gpuTest(name, async (gpu) => {
  using network = withTempDir((directory) => {
    writeTinyQwen(directory, { hasQkNorm: false, hasBias: true });
    return loadQwenNetwork(gpu, directory);
  });
  await checkWithoutHeads(gpu, network);
});
