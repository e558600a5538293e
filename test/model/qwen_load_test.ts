import { assertEquals } from "@std/assert";
import { allocateModel } from "../../src/model/mod.ts";
import { Checkpoint } from "../../src/weights/checkpoint.ts";
import { gpuTest } from "../support/gpu.ts";
import { writeTinyQwen } from "../support/qwen_checkpoints.ts";

for (const [weights, isTied] of [["f32", false], ["f16", true], ["int8", true]] as const) {
  gpuTest(`allocateModel() tells of every tensor of a decoder in ${weights} once`, async (gpu) => {
    const directory = Deno.makeTempDirSync({ prefix: "blockdiffusion-" });
    try {
      writeTinyQwen(directory, { config: { tie_word_embeddings: isTied }, hasBias: true });
      using checkpoint = Checkpoint.open(directory);
      const seen: number[] = [];
      const { network, fill } = await allocateModel(gpu, checkpoint, {
        ...{ weights, slots: 1, memoryBytes: null },
        onProgress: (done, total) => {
          seen.push(done);
          assertEquals(total, checkpoint.tensors.size);
        },
      });
      using _ = network;
      assertEquals(seen, []);
      await fill();
      assertEquals(seen, seen.toSorted((a, b) => a - b));
      assertEquals(seen.at(-1), checkpoint.tensors.size);
    } finally {
      Deno.removeSync(directory, { recursive: true });
    }
  });
}
