import { join } from "@std/path";
import { z } from "zod";
import { Checkpoint } from "../weights/checkpoint.ts";
import { writeSafetensors } from "../weights/safetensors_writer.ts";
import { readValues } from "./initial_weights.ts";
import type { Kept, Parameters } from "./parameters.ts";

/** What a training continues from, beside its tensors. */
const State = z.strictObject({
  updates: z.int().min(0),
  skipped: z.int().min(0),
  /** Between which noise levels are drawn. */
  times: z.tuple([z.number(), z.number()]),
  /** What the training was told; a training that goes on must be told the same. */
  settings: z.record(z.string(), z.unknown()),
});

/** What a training continues from, beside its tensors. */
export type TrainingState = z.output<typeof State>;

/** Files of a checkpoint that say what its tokens mean; taken over as they are. */
const TAKEN_OVER = [
  "generation_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "vocab.json",
  "merges.txt",
];

/** Tensors of the optimiser's own checkpoint, by what is kept; the averages are the model's. */
const OWN: readonly Kept[] = ["weight", "firstMoment", "secondMoment"];
const FOLDER = "training";
const NAME = /^step-(\d+)$/;

/** What {@linkcode saveTraining} writes. */
export interface SavedTraining {
  readonly parameters: Parameters;
  readonly state: TrainingState;
  /** `config.json` of the model. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Checkpoint that the tokenizer is taken over from. */
  readonly base: string;
}

/**
 * Writes a checkpoint `step-N` into `directory`: the averaged weights as a model that can be
 * served, and in a folder of its own what the training continues from. It appears whole or not at
 * all, whenever the process ends. Of older ones the last stays.
 *
 * @returns Its path.
 */
export async function saveTraining(
  directory: string,
  { parameters, state, config, base }: SavedTraining,
): Promise<string> {
  const name = `step-${String(state.updates).padStart(8, "0")}`;
  const partial = join(directory, `.${name}.partial`);
  removeIfThere(partial);
  Deno.mkdirSync(join(partial, FOLDER), { recursive: true });
  for (const file of TAKEN_OVER) copyIfThere(join(base, file), join(partial, file));
  writeJson(join(partial, "config.json"), {
    ...config,
    // Whatever it began with.
    quantization: undefined,
    torch_dtype: "float32",
    sampling_eps_min: state.times[0],
    sampling_eps_max: state.times[1],
  });
  const scalar = (value: number) => ({ shape: [], read: () => Float32Array.of(value) });
  await writeSafetensors(join(partial, "model.safetensors"), [
    { name: "sampling_eps_min", ...scalar(state.times[0]) },
    { name: "sampling_eps_max", ...scalar(state.times[1]) },
    ...tensorsOf(parameters, "averaged", (each) => each),
  ]);
  writeJson(join(partial, FOLDER, "config.json"), state);
  const own = OWN.flatMap((kept) => tensorsOf(parameters, kept, (each) => `${kept}.${each}`));
  await writeSafetensors(join(partial, FOLDER, "model.safetensors"), own);
  const path = join(directory, name);
  // Only where the same update was saved before.
  removeIfThere(path);
  Deno.renameSync(partial, path);
  syncDirectory(directory);
  for (const old of listSaved(directory).slice(0, -2)) removeIfThere(join(directory, old));
  return path;
}

/** Path of the newest checkpoint of a training; `null` where there is none. */
export function findSaved(directory: string): string | null {
  const newest = listSaved(directory).at(-1);
  return newest === undefined ? null : join(directory, newest);
}

/**
 * Sets all that is kept of the parameters to what a checkpoint of {@linkcode saveTraining} holds.
 *
 * @throws {CheckpointError} If it is damaged, or of another network.
 * @throws {SyntaxError} If its state is damaged.
 */
export function resumeTraining(path: string, parameters: Parameters): TrainingState {
  using model = Checkpoint.open(path);
  using own = Checkpoint.open(join(path, FOLDER));
  for (const parameter of parameters.all) {
    const { name, shape } = parameter;
    parameters.write(parameter, "averaged", readValues(model, name, shape));
    for (const kept of OWN) {
      parameters.write(parameter, kept, readValues(own, `${kept}.${name}`, shape));
    }
  }
  const { data, error } = State.safeParse(own.config);
  if (data) return data;
  throw new SyntaxError(
    `Cannot resume: "${path}" has an unusable ${error.issues[0]?.path.join(".")}`,
  );
}

function tensorsOf(parameters: Parameters, kept: Kept, nameOf: (name: string) => string) {
  return parameters.all.map((parameter) => ({
    name: nameOf(parameter.name),
    shape: parameter.shape,
    read: () => parameters.read(parameter, kept),
  }));
}

/** Names, oldest first. */
function listSaved(directory: string): string[] {
  try {
    const names = Array.from(Deno.readDirSync(directory), (entry) => entry.name);
    return names.filter((each) => NAME.test(each)).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

function writeJson(path: string, value: unknown): void {
  using file = Deno.openSync(path, { write: true, create: true });
  const bytes = new TextEncoder().encode(JSON.stringify(value, null, 2) + "\n");
  for (let done = 0; done < bytes.length;) done += file.writeSync(bytes.subarray(done));
  file.syncSync();
}

function copyIfThere(from: string, to: string): void {
  try {
    Deno.writeFileSync(to, Deno.readFileSync(from));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Makes a rename outlive a loss of power, where directories can be told to. */
function syncDirectory(path: string): void {
  if (Deno.build.os === "windows") return;
  using directory = Deno.openSync(path);
  directory.syncSync();
}
