import type { Embedding, LinearWeight } from "./formats.ts";

/**
 * The matrix of an output layer as the embedding that it also is. It stays the matrix's: disposing of
 * it frees nothing.
 *
 * @returns `null` where the matrix is stored less precisely than embeddings are.
 */
export function tiedEmbedding(weight: LinearWeight): Embedding | null {
  const { outputs, inputs, format, order, parts } = weight;
  if (format !== "f32" && format !== "f16") return null;
  return {
    tokens: outputs,
    width: inputs,
    format,
    order,
    parts: parts.map(({ first, outputs: tokens, weight }) => ({ first, tokens, weight })),
    [Symbol.dispose]: () => {},
  };
}
