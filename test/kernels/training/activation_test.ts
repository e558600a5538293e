import {
  activate,
  activateBackward,
  type ActivationKind,
} from "../../../kernels/training/activation.ts";
import type { Gpu } from "../../../src/gpu/mod.ts";
import { geluTanhBackward, siluBackward } from "../../reference/backward.ts";
import { geluTanh, silu } from "../../reference/forward.ts";
import { assertClose, gpuTest, noise, readFloats, runAndRead, upload } from "../../support/gpu.ts";
import { assertSlope } from "./slopes.ts";

const REFERENCES = {
  gelu: [geluTanh, geluTanhBackward],
  silu: [silu, siluBackward],
} as const;

for (const kind of ["gelu", "silu"] as const) {
  const [forward, backward] = REFERENCES[kind];
  for (const length of [4, 252, 1028]) {
    // Far into both tails, where the exponentials run over.
    const x = noise(length, 1).map((each, i) => each * (i % 5 === 0 ? 120 : 4));
    const dy = noise(length, 2);

    gpuTest(`${kind} and its way back match the reference for ${length} values`, async (gpu) => {
      using tensor = upload(gpu, [1, length], x);
      const y = await runAndRead(gpu, (pass) => activate(pass, kind, tensor));
      assertClose(y, forward(x), {}, "y");
      assertClose(await slope(gpu, kind, { x, dy }), backward(dy, x), {}, "dx");
    });

    gpuTest(`the way back through ${kind} is the slope for ${length} values`, async (gpu) => {
      const small = x.map((each) => each / 40);
      await assertSlope({
        ...{ x: small, dy, gradient: await slope(gpu, kind, { x: small, dy }), tolerance: 5e-3 },
        forward: (values) =>
          runAndRead(gpu, (pass) => activate(pass, kind, upload(gpu, [1, length], values))),
      }, "x");
    });
  }
}

async function slope(
  gpu: Gpu,
  kind: ActivationKind,
  { x, dy }: { x: Float32Array; dy: Float32Array },
): Promise<Float32Array> {
  using tensorX = upload(gpu, [1, x.length], x);
  using tensorDy = upload(gpu, [1, dy.length], dy);
  const pass = gpu.pass();
  activateBackward(pass, kind, { x: tensorX, dy: tensorDy });
  pass.submit();
  return await readFloats(gpu, tensorDy);
}
