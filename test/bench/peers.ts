import { Gpu } from "../../src/gpu/mod.ts";
import { runScript } from "./child.ts";
import type { Figures } from "./figures.ts";
import type { ForwardTime } from "./forward.ts";
import { findPython, runPeer } from "./peer_programs.ts";
import { type StepTime, timeHubStep } from "./step.ts";

/** CPU time of all threads / 2, whether they run on one core or on two. */
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

/** What `own_times.ts` prints. */
interface OwnTimes {
  readonly step: StepTime;
  readonly forwards: readonly ForwardTime[];
}

/**
 * How models as small as the shipped one are served on a software adapter: its driver starts no threads.
 * onnxruntime-web is spared them, too.
 */
const AS_SERVED = { LP_NUM_THREADS: "0" };

/**
 * Times other programs at our work, and us beside them: a denoising step in PyTorch on the CPU, and
 * forwards in onnxruntime-web on our adapter. The latter is downloaded on its first run.
 *
 * @throws {Error} If no Python has PyTorch, or one of the programs fails.
 */
export async function benchPeers(): Promise<Figures> {
  const python = await findPython();
  // Before and after what it is compared with, since the machine may change meanwhile.
  const firstSteps = await timePyTorch(python);
  const hubStep = await timeHub();
  const before = await timeOwn();
  const theirs = await timeOnnxruntime(python);
  const after = await timeOwn();
  const lastSteps = await timePyTorch(python);
  const step = { ...before.step, ms: (before.step.ms + after.step.ms) / 2 };
  return {
    ...compareSteps([step, hubStep], firstSteps, lastSteps),
    ...compareForwards(theirs, before.forwards, after.forwards),
  };
}

function compareSteps(
  own: readonly StepTime[],
  first: readonly Step[],
  last: readonly Step[],
): Figures {
  const figures: Figures = {};
  for (const [i, { shape, ms: firstMs }] of first.entries()) {
    const { layers, width, vocabulary, rows } = shape;
    const ms = (firstMs + last[i]!.ms) / 2; // The same shapes in the same order.
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

function compareForwards(
  theirs: readonly Forward[],
  before: readonly ForwardTime[],
  after: readonly ForwardTime[],
): Figures {
  const figures: Figures = {};
  for (const { tokens, ms, wallMs } of theirs) {
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

async function timeOwn(): Promise<OwnTimes> {
  return await runScript("own_times.ts", AS_SERVED) as OwnTimes; // Our own script prints it.
}

/** A model too large to be served like that. */
async function timeHub(): Promise<StepTime> {
  using gpu = await Gpu.open();
  return await timeHubStep(gpu);
}

async function timePyTorch(python: string): Promise<Step[]> {
  return await runPeer(python, ["step.py"]) as Step[]; // Our own script prints these lines.
}

async function timeOnnxruntime(python: string): Promise<Forward[]> {
  const model = Deno.makeTempFileSync({ suffix: ".onnx" });
  try {
    await runPeer(python, ["make_onnx.py", model]);
    const flags = ["run", "--allow-all", "--no-config", "--no-lock"];
    const command = [...flags, "onnxruntime.ts", model];
    return await runPeer(Deno.execPath(), command, AS_SERVED) as Forward[]; // As above.
  } finally {
    Deno.removeSync(model);
  }
}
