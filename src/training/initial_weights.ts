import { uniformAt } from "../diffusion/random.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import type { Parameter, Parameters } from "./parameters.ts";

/** Step of the numbers that weights begin with: noise counts its steps from 0 up. */
const STEP = 2 ** 20 - 1;
/** Width of the choices that {@linkcode uniformAt} tells apart. */
const CHOICES = 1024;

/** Sets the weights to those of a checkpoint, and their averages likewise. */
export function loadWeights(parameters: Parameters, checkpoint: Checkpoint): void {
  for (const parameter of parameters.all) {
    setWeight(parameters, parameter, readValues(checkpoint, parameter.name, parameter.shape));
  }
}

/** Values of a tensor of a checkpoint. */
export function readValues(
  checkpoint: Checkpoint,
  name: string,
  [rows = 1]: readonly number[],
): Float32Array<ArrayBuffer> {
  return checkpoint.readRows(name, 0, rows);
}

/**
 * Sets the weights to random ones: uniform within ±1 / √inputs; gains are one, and what adaLN and
 * the output layer begin with is zero.
 *
 * Source: kuleshov-group/bd3lms, `models/dit.py`, and PyTorch's `nn.Linear`.
 */
export function drawWeights(parameters: Parameters, seed: number): void {
  parameters.all.forEach((parameter, i) => {
    const values = new Float32Array(parameter.shape.reduce((product, each) => product * each, 1));
    const { name } = parameter;
    if (/norm\w*\.weight$/.test(name)) values.fill(1);
    else if (!/adaLN|output_layer/.test(name)) {
      const bound = 1 / Math.sqrt(inputsOf(parameters, parameter));
      const draw = {
        choice: i % CHOICES,
        stream: "order",
        step: STEP - Math.floor(i / CHOICES),
      } as const;
      for (let at = 0; at < values.length; at++) {
        values[at] = bound * (2 * uniformAt(seed, { ...draw, position: at }) - 1);
      }
    }
    setWeight(parameters, parameter, values);
  });
}

/** Inputs of the layer that a parameter belongs to; those of a bias are its weight's. */
function inputsOf(parameters: Parameters, { name, shape }: Parameter): number {
  if (!name.endsWith(".bias")) return shape.at(-1)!; // No parameter is a scalar.
  const weight = name.replace(/^backbone\./, "").replace(/bias$/, "weight");
  return parameters.get(weight).shape.at(-1)!;
}

function setWeight(
  parameters: Parameters,
  parameter: Parameter,
  values: Float32Array<ArrayBuffer>,
): void {
  parameters.write(parameter, "weight", values);
  parameters.write(parameter, "averaged", values);
}
