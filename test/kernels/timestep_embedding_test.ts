import { timestepEmbedding, timestepFrequencies } from "../../kernels/mod.ts";
import * as reference from "../reference/forward.ts";
import { assertClose, gpuTest, readFloats, upload } from "../support/gpu.ts";

// From clean to where the noise level ends.
const LEVELS = [0, 1e-3, 0.5, 1, 2.25, Math.fround(-Math.log(1e-3))];

// One frequency, exactly the lanes, one more, and the model's.
for (const half of [1, 64, 65, 128]) {
  gpuTest(`timestepEmbedding() matches the reference for ${half} frequencies`, async (gpu) => {
    for (const conditions of [1, LEVELS.length]) {
      using sigma = upload(gpu, [LEVELS.length], LEVELS);
      using frequencies = upload(gpu, [half], timestepFrequencies(half));
      const pass = gpu.pass();
      using e = timestepEmbedding(pass, { sigma, conditions, frequencies });
      pass.submit();
      const expected = LEVELS.slice(0, conditions).flatMap((level) =>
        Array.from(reference.timestepEmbedding(level, 2 * half))
      );
      assertClose(await readFloats(gpu, e), expected);
    }
  });
}
