/** What is wrong with a checkpoint, for programs; the message says it for people. */
export type CheckpointCode =
  | "missing_file"
  | "unreadable_file"
  | "not_a_file"
  | "outside_directory"
  | "file_too_large"
  | "pickle_file"
  | "invalid_json"
  | "invalid_header"
  | "invalid_tensor"
  | "invalid_offsets"
  | "invalid_index"
  | "missing_tensor"
  | "unexpected_tensor"
  | "wrong_shape"
  | "wrong_dtype"
  | "unsupported_model"
  | "invalid_config"
  | "invalid_tokenizer"
  | "invalid_chat_template";

/** Thrown for every checkpoint directory that cannot be served: damaged, foreign or incomplete. */
export class CheckpointError extends Error {
  override readonly name = "CheckpointError";

  /**
   * @param file Path relative to the checkpoint directory; `"."` is the directory itself.
   * @param problem Names the tensor or key, the value found and the value expected.
   */
  constructor(
    readonly file: string,
    readonly code: CheckpointCode,
    problem: string,
    options?: ErrorOptions,
  ) {
    super(`Cannot load ${quote(file)}: ${problem}`, options);
  }
}

/** Quotes a name or value found in a file, cut to 100 characters so that messages stay short. */
export function quote(value: unknown): string {
  const text = typeof value === "string" && value.length > 100 ? value.slice(0, 100) + "…" : value;
  try {
    const quoted = JSON.stringify(text) ?? String(text);
    return quoted.length > 160 ? quoted.slice(0, 160) + "…" : quoted;
  } catch {
    return typeof value;
  }
}
