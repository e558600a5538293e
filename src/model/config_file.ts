import { z } from "zod";
import { CheckpointError } from "../weights/checkpoint.ts";
import { quote } from "../weights/errors.ts";

/** The file that says what a network looks like. */
export const CONFIG_FILE = "config.json";

/** Largest block size offered or accepted. */
export const MAX_BLOCK_SIZE = 1024;

/** Largest head that attention takes. */
export const MAX_HEAD_SIZE = 256;

/**
 * An integer from 1 to `max`. Each bound is far above any published model, and keeps all products
 * below 2^53.
 */
export function count(max: number): z.ZodInt {
  return z.int().min(1).max(max);
}

/**
 * Reads what a family takes from `config.json`.
 *
 * @throws {CheckpointError} Naming the first key that does not fit, and its value.
 */
export function parseConfigFile<T>(schema: z.ZodType<T>, json: unknown): T {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const key = String(issue?.path[0]);
  const value = (json as Record<string, unknown>)[key]; // The path is one of a JSON object.
  throw invalidConfig(`key ${quote(key)} is ${quote(value)} (${issue?.message})`);
}

/** An error about what `config.json` says. */
export function invalidConfig(problem: string): CheckpointError {
  return new CheckpointError(CONFIG_FILE, "invalid_config", problem);
}

/** An error about what `config.json` asks for and nothing here can do. */
export function unsupported(problem: string): CheckpointError {
  return new CheckpointError(CONFIG_FILE, "unsupported_model", problem);
}
