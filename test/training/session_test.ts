import { assert, assertEquals, assertThrows } from "@std/assert";
import { join } from "@std/path";
import type { Gpu } from "../../src/gpu/mod.ts";
import { readBd3lmConfig } from "../../src/model/bd3lm_config.ts";
import { readFamilyConfig } from "../../src/model/family.ts";
import { loadWeights } from "../../src/training/initial_weights.ts";
import { OPTIMIZER } from "../../src/training/optimizer.ts";
import { Parameters } from "../../src/training/parameters.ts";
import { findSaved, resumeTraining } from "../../src/training/saved_training.ts";
import { type Progress, runSession, type SessionSettings } from "../../src/training/session.ts";
import { lockTraining } from "../../src/training/training_lock.ts";
import { Windows } from "../../src/training/windows.ts";
import { Checkpoint, CheckpointError } from "../../src/weights/checkpoint.ts";
import { writeTinyCheckpoint } from "../support/checkpoints.ts";
import { gpuTest, noise } from "../support/gpu.ts";

const SETTINGS: SessionSettings = {
  // Two stages, so that a search, a change of blocks and an update of each lie on either side.
  stages: [{ blockSize: 32, updates: 3 }, { blockSize: 4, updates: 5 }],
  ...{ batch: 3, microBatch: 2, dropout: 0.1, schedule: "loglinear", times: [1e-3, 1] },
  rate: { peak: 1e-2, warmUp: 2, decay: "cosine" },
  optimizer: OPTIMIZER,
  ...{ isAntithetic: true, searchEvery: 2, evaluateEvery: 2, saveEvery: 2, seed: 6 },
};
const TOKENS = Uint32Array.from(noise(700, 1), (each) => Math.floor(128 + 127 * each));

interface Run {
  readonly directory: string;
  readonly isResumed?: boolean;
  /** Update after which the training is interrupted. */
  readonly stopAfter?: number;
}

gpuTest("runSession() goes on after a checkpoint as if nothing had happened", async (gpu) => {
  await withDirectories(async (base, [whole, parts]) => {
    const all = await run(gpu, base, { directory: whole! });
    assertEquals(all.map(({ update }) => update), [1, 2, 3, 4, 5, 6, 7, 8]);
    assertEquals(all.map(({ blockSize }) => blockSize), [32, 32, 32, 4, 4, 4, 4, 4]);
    assertEquals(all.filter(({ nelbo }) => nelbo !== null).map(({ update }) => update), [
      2,
      4,
      6,
      8,
    ]);
    assertEquals(Array.from(Deno.readDirSync(whole!), ({ name }) => name).sort(), [
      "loss.svg",
      "progress.csv",
      "step-00000006",
      "step-00000008",
    ]);

    // Ended after update 4, while another checkpoint was being written.
    await run(gpu, base, { directory: parts!, stopAfter: 4 });
    Deno.mkdirSync(join(parts!, ".step-00000006.partial"));
    const rest = await run(gpu, base, { directory: parts!, isResumed: true });
    assertEquals(rest.map(({ update }) => update), [5, 6, 7, 8]);
    const figures = (progress: readonly Progress[]) =>
      progress.map((
        { loss, gradientNorm, nelbo, beta, omega, rate },
      ) => [loss, gradientNorm, nelbo, beta, omega, rate]);
    assertEquals(figures(rest), figures(all.slice(4)));
    for (const file of ["model.safetensors", "training/model.safetensors"]) {
      const [one, other] = [whole!, parts!].map((each) =>
        Deno.readFileSync(join(each, "step-00000008", file))
      );
      assertEquals(one, other, file);
    }
  });
});

gpuTest("runSession() saves a checkpoint that can be served", async (gpu) => {
  await withDirectories(async (base, [directory]) => {
    await run(gpu, base, { directory: directory!, stopAfter: 5 });
    // Interrupted between two checkpoints: it saves what it has.
    const saved = findSaved(directory!)!;
    assert(saved.endsWith("step-00000005"));
    using checkpoint = Checkpoint.open(saved);
    const config = readFamilyConfig(checkpoint);
    assertEquals([config.blockSize, config.modelLength, config.vocabSize], [4, 32, 258]);
    assert(checkpoint.json("tokenizer.json") !== null);
    assertEquals(checkpoint.config.hidden_dim, 32);
  });
});

gpuTest("resumeTraining() refuses a checkpoint whose optimiser state is cut", async (gpu) => {
  await withDirectories(async (base, [directory]) => {
    await run(gpu, base, { directory: directory!, stopAfter: 2 });
    const saved = findSaved(directory!)!;
    const file = join(saved, "training/model.safetensors");
    Deno.truncateSync(file, Deno.statSync(file).size - 100);
    using checkpoint = Checkpoint.open(base);
    using parameters = new Parameters(gpu, readBd3lmConfig(checkpoint));
    assertThrows(() => resumeTraining(saved, parameters), CheckpointError);
  });
});

Deno.test("lockTraining() keeps a second one out until it is let go", () => {
  const directory = Deno.makeTempDirSync();
  const first = lockTraining(directory);
  assert(first);
  assertEquals(lockTraining(directory), null);
  first[Symbol.dispose]();
  const again = lockTraining(directory);
  assert(again);
  again[Symbol.dispose]();
  Deno.removeSync(directory, { recursive: true });
});

async function run(
  gpu: Gpu,
  base: string,
  { directory, isResumed = false, stopAfter = Infinity }: Run,
): Promise<Progress[]> {
  using checkpoint = Checkpoint.open(base);
  const config = readBd3lmConfig(checkpoint);
  using parameters = new Parameters(gpu, config);
  loadWeights(parameters, checkpoint);
  const start = isResumed
    ? resumeTraining(findSaved(directory)!, parameters)
    : { updates: 0, skipped: 0, times: SETTINGS.times };
  const interruption = new AbortController();
  const all: Progress[] = [];
  let now = 0;
  await runSession(gpu, SETTINGS, {
    parts: {
      ...{ config, configFile: checkpoint.config, parameters, directory, base, start, told: {} },
      windows: new Windows(TOKENS, { length: config.modelLength, seed: 1 }),
      heldOut: [TOKENS.subarray(0, 32), TOKENS.subarray(32, 64)],
    },
    watch: {
      signal: interruption.signal,
      now: () => now += 500,
      onProgress: (progress) => {
        all.push(progress);
        if (progress.update === stopAfter) interruption.abort();
      },
      onSaved: () => {},
    },
  });
  return all;
}

/** Runs `use` with a checkpoint and two empty directories. */
async function withDirectories(
  use: (base: string, directories: readonly string[]) => Promise<void>,
): Promise<void> {
  const root = Deno.makeTempDirSync({ prefix: "blockdiffusion-" });
  try {
    const config = { hidden_dim: 32, n_heads: 2, n_blocks: 2 };
    const base = writeTinyCheckpoint(join(root, "base"), { config });
    const directories = ["one", "two"].map((name) => join(root, name));
    for (const each of directories) Deno.mkdirSync(each);
    await use(base, directories);
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
}
