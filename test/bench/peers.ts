import { Gpu } from "../../src/gpu/mod.ts";
import type { Figures } from "./figures.ts";
import { type ForwardTime, timeForwards } from "./forward.ts";
import { findPython, runPeer } from "./peer_programs.ts";
import { timeSteps } from "./step.ts";

const UNIT = "ms, two cores";

/** A line that `peers/step.py` prints. */
interface Step {
  readonly shape: {
    readonly layers: number;
    readonly width: number;
    readonly vocabulary: number;
    readonly rows: number;
  };
  readonly ms: number;
}

/** A line that `peers/onnxruntime.ts` prints. */
interface Forward {
  readonly tokens: number;
  readonly ms: number;
  readonly wallMs: number;
}

/**
 * Times other programs at our work, and us beside them: a denoising step in PyTorch on the CPU, and
 * forwards in onnxruntime-web on our adapter. The latter is downloaded on its first run.
 *
 * @throws {Error} If no Python has PyTorch, or one of the programs fails.
 */
export async function benchPeers(): Promise<Figures> {
  const python = await findPython();
  using gpu = await Gpu.open();
  return { ...await compareSteps(gpu, python), ...await compareForwards(gpu, python) };
}

async function compareSteps(gpu: Gpu, python: string): Promise<Figures> {
  // Our own script prints these lines. Before ours and after, since the machine may change meanwhile.
  const before = await runPeer(python, ["step.py"]) as Step[];
  const own = await timeSteps(gpu);
  const after = await runPeer(python, ["step.py"]) as Step[];
  const figures: Figures = {};
  for (const [i, { shape, ms: first }] of before.entries()) {
    const { layers, width, vocabulary, rows } = shape;
    const ms = (first + after[i]!.ms) / 2; // The same shapes in the same order.
    const name = `step ${layers}x${width} V=${vocabulary}, ${rows} rows`;
    const ours = own.find((each) => each.name === name);
    if (!ours) throw new Error(`Cannot compare: PyTorch's ${name} is none of ours`);
    figures[`PyTorch f32 ${name}`] = { value: ms, unit: UNIT };
    figures[`our f16 ${name}`] = { value: ours.ms, unit: UNIT };
    figures[`our f16 / PyTorch f32 ${name}`] = {
      value: ours.ms / ms,
      unit: "times",
      goal: { atMost: width === 256 ? 2.8 : 2.0 },
    };
  }
  return figures;
}

async function compareForwards(gpu: Gpu, python: string): Promise<Figures> {
  const before = await timeOwnForwards(gpu);
  const others = await runOnnxruntime(python);
  const after = await timeOwnForwards(gpu);
  const figures: Figures = {};
  for (const { tokens, ms, wallMs } of others) {
    const name = `onnxruntime-web f32 forward 6x256 V=4096, ${tokens} tokens`;
    figures[name] = { value: ms, unit: UNIT };
    figures[`${name}, wall`] = { value: wallMs, unit: "ms" };
    for (const [i, own] of before.entries()) {
      if (own.tokens !== tokens) continue;
      const ownMs = (own.ms + after[i]!.ms) / 2; // The same forwards in the same order.
      figures[own.name] = { value: ownMs, unit: UNIT };
      figures[`onnxruntime-web f32 / ${own.name}`] = {
        value: ms / ownMs,
        unit: "times",
        goal: { atLeast: 10 },
      };
    }
  }
  return figures;
}

async function timeOwnForwards(gpu: Gpu): Promise<ForwardTime[]> {
  return [...await timeForwards(gpu, "f32"), ...await timeForwards(gpu, "f16")];
}

async function runOnnxruntime(python: string): Promise<Forward[]> {
  const model = Deno.makeTempFileSync({ suffix: ".onnx" });
  try {
    await runPeer(python, ["make_onnx.py", model]);
    const flags = ["run", "--allow-all", "--no-config", "--no-lock"];
    // Our own script prints these lines.
    return await runPeer(Deno.execPath(), [...flags, "onnxruntime.ts", model]) as Forward[];
  } finally {
    Deno.removeSync(model);
  }
}
