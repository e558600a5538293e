import { basename, join } from "@std/path";
import { assertAlmostEquals, assertEquals } from "@std/assert";
import {
  clipped,
  NOISE_SCHEDULES,
  type NoiseSchedule,
  stratify,
  timeAt,
} from "../../src/diffusion/noise.ts";
import { lossOf } from "../../src/evaluation/likelihood.ts";
import { maskAtTimes, scoredBlocks } from "../../src/evaluation/noisy_copy.ts";
import { Scorer } from "../../src/evaluation/scorer.ts";
import type { NoisyText } from "../../src/evaluation/scoring_plan.ts";
import {
  type Fixture,
  fixtureFolders,
  floatsOf,
  integersOf,
  readFixture,
  readJson,
  tensorOf,
} from "../support/fixtures.ts";
import { finish } from "../support/finish.ts";
import { loadNetwork } from "../support/forward.ts";
import { assertClose, gpuTest } from "../support/gpu.ts";

/** Of the recordings, whose own arithmetic is f32. */
const RECORDED = { tolerance: 1e-4 };

/** One of the cases of nelbo.json. */
interface Recorded {
  readonly block_size: number;
  readonly eps_min: number;
  readonly eps_max: number;
  readonly sum_nll: number;
  readonly n_tokens: number;
  readonly ppl: number;
}

/** What the official evaluation draws with; the two clipped cases are those of its training. */
function scheduleOf(name: string, { eps_min, eps_max }: Recorded): NoiseSchedule {
  return name.startsWith("clip") ? clipped(eps_min, eps_max) : NOISE_SCHEDULES.loglinear;
}

/** The noisy texts that the recorded numbers make: a copy each. */
function noisyTexts(
  x0: readonly (readonly number[])[],
  { fixture, name, recorded, maskToken }: {
    fixture: Fixture;
    name: string;
    recorded: Recorded;
    maskToken: number;
  },
): NoisyText[] {
  const { block_size: blockSize, eps_min, eps_max } = recorded;
  const length = x0[0]!.length;
  const blocks = length / blockSize;
  const range = [eps_min, eps_max] as const;
  // The strata of the original go through the whole batch.
  const times = stratify([...floatsOf(fixture, `${name}.u_t`)]).map((u) => timeAt(u, range));
  const uniforms = [...floatsOf(fixture, `${name}.u_mask`)];
  return x0.map((tokens, i) => {
    const text = { x0: tokens, given: 1, blockSize };
    const copy = maskAtTimes(text, {
      schedule: scheduleOf(name, recorded),
      // Where blocks have one token, the first has nothing to score.
      times: times.slice((i + 1) * blocks - scoredBlocks(text).length, (i + 1) * blocks),
      ofTokens: uniforms.slice(i * length, (i + 1) * length),
      maskToken,
    });
    return { ...text, copies: [copy] };
  });
}

for (const folder of fixtureFolders()) {
  const cases = readJson(join(folder, "nelbo.json")) as Record<string, Recorded>;
  const fixture = readFixture(join(folder, "nelbo.safetensors"));
  const train = readFixture(join(folder, "train.safetensors"));
  const [entries = 0, length = 0] = tensorOf(train, "x0").shape;
  const all = integersOf(train, "x0");
  const x0 = Array.from(
    { length: entries },
    (_, i) => all.slice(i * length, (i + 1) * length),
  );

  for (const [name, recorded] of Object.entries(cases)) {
    gpuTest(`the bound of ${basename(folder)} is as recorded: ${name}`, async (gpu) => {
      using network = loadNetwork(gpu, folder, { format: "f32" });
      const { maskToken, timeConditioning } = network.config;
      const texts = noisyTexts(x0, { fixture, name, recorded, maskToken });
      const copies = texts.map(({ copies }) => copies[0]!);
      assertEquals(copies.flatMap(({ xt }) => xt), integersOf(fixture, `${name}.xt`));
      if (timeConditioning) {
        const levels = copies.map(({ sigma }) => sigma);
        // Of times in f32, of which some are near 1.
        assertClose(levels, floatsOf(fixture, `${name}.sigma`), { tolerance: 2e-5 }, "sigma");
      }
      using scorer = await Scorer.open(gpu, network, { rows: 512 });
      const logP = (await finish(scorer.score(texts))).map(([copy]) => copy!);
      const losses = texts.flatMap((_, i) =>
        Array.from(logP[i]!, (value, at) => -copies[i]!.weights[at]! * value || 0)
      );
      assertClose(losses, floatsOf(fixture, `${name}.nll`), RECORDED, "nll");
      const sum = copies.reduce((sum, copy, i) => sum + lossOf(copy, logP[i]!), 0);
      assertAlmostEquals(sum / recorded.sum_nll, 1, 1e-4);
      assertEquals(entries * (length - 1), recorded.n_tokens);
      assertAlmostEquals(Math.exp(sum / recorded.n_tokens) / recorded.ppl, 1, 1e-4);
    });
  }
}
