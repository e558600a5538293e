import { type Checkpoint, CheckpointError, type TensorEntry } from "../weights/checkpoint.ts";
import { quote } from "../weights/errors.ts";
import { isReadable } from "../weights/quantized_tensor.ts";
import { elementCount } from "../weights/safetensors.ts";

/** A tensor's name and shape, as they stand in a checkpoint. */
export type NamedShape = [name: string, shape: readonly number[]];

/** Tensors that a network has, and those that a checkpoint may have beside them. */
export interface ExpectedTensors {
  readonly required: readonly NamedShape[];
  readonly optional: readonly NamedShape[];
}

/** Elements of all tensors together. */
export function countElements(tensors: readonly NamedShape[]): number {
  return tensors.reduce((sum, [, shape]) => sum + elementCount(shape), 0);
}

/**
 * Checks that the checkpoint has exactly the tensors of a network, in floating point.
 *
 * @throws {CheckpointError} Naming file and tensor.
 */
export function checkTensors(checkpoint: Checkpoint, expected: ExpectedTensors): void {
  const required = new Map(expected.required);
  const optional = new Map(expected.optional);
  for (const entry of checkpoint.tensors.values()) {
    const shape = required.get(entry.name) ?? optional.get(entry.name);
    if (shape === undefined) {
      throw refuse(
        entry,
        "unexpected_tensor",
        "is not part of the model that config.json describes",
      );
    }
    if (!isReadable(entry.dtype)) {
      throw refuse(entry, "wrong_dtype", `has dtype ${entry.dtype}, expected F32, F16 or BF16`);
    }
    if (entry.shape.length !== shape.length || shape.some((size, i) => size !== entry.shape[i])) {
      const found = quote(entry.shape);
      throw refuse(entry, "wrong_shape", `has shape ${found}, expected ${quote(shape)}`);
    }
  }
  for (const name of required.keys()) {
    if (checkpoint.tensors.has(name)) continue;
    const problem = `tensor ${quote(name)} is absent, expected shape ${quote(required.get(name))}`;
    throw new CheckpointError(checkpoint.weightsFile, "missing_tensor", problem);
  }
}

function refuse(
  { name, file }: TensorEntry,
  code: "unexpected_tensor" | "wrong_dtype" | "wrong_shape",
  problem: string,
): CheckpointError {
  return new CheckpointError(file, code, `tensor ${quote(name)} ${problem}`);
}
