import { assertEquals } from "@std/assert";
import { uploadLinear } from "../../src/weights/formats.ts";
import { tiedEmbedding } from "../../src/weights/tied_embedding.ts";
import { matrixSource } from "../kernels/tables.ts";
import { gpuTest } from "../support/gpu.ts";

gpuTest("tiedEmbedding() takes no memory, and none of what is less precise", (gpu) => {
  const source = matrixSource(new Float32Array(64 * 32), 32);
  const before = gpu.bytes.weights;
  for (const [format, isShared] of [["f32", true], ["f16", true], ["int8", false]] as const) {
    using weight = uploadLinear(gpu, source, { name: "w", format });
    const { weights } = gpu.bytes;
    using embedding = tiedEmbedding(weight);
    assertEquals([embedding !== null, gpu.bytes.weights], [isShared, weights]);
  }
  assertEquals(gpu.bytes.weights, before);
});
