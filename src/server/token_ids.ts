import type { ModelInfo } from "../engine/request.ts";
import { RequestError } from "./errors.ts";

/**
 * Checks that a client may give these tokens to the model: any but the mask.
 *
 * @param name Path of the field that has them.
 * @throws {RequestError} `token_out_of_range` for the first that it may not.
 */
export function checkTokens(
  tokens: readonly number[],
  { model: { vocabSize, maskToken }, name }: {
    readonly model: Pick<ModelInfo, "vocabSize" | "maskToken">;
    readonly name: string;
  },
): readonly number[] {
  const i = tokens.findIndex((each) => each < 0 || each >= vocabSize || each === maskToken);
  if (i === -1) return tokens;
  const param = `${name}[${i}]`;
  const message = `${param} must be a token id from 0 to ${vocabSize - 1} and not the mask ` +
    `(${maskToken}), got ${tokens[i]}`;
  throw new RequestError("token_out_of_range", message, { param });
}

/** `tokens` with the beginning that the model was trained to see, where it has one. */
export function withBos(tokens: readonly number[], bosToken: number | null): readonly number[] {
  return bosToken === null || tokens[0] === bosToken ? tokens : [bosToken, ...tokens];
}
