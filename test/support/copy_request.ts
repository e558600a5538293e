import type { SequenceRequest } from "../../src/engine/request.ts";

/** A request to the test model, which repeats `prompt`; everything else is at its default. */
export function copyRequest(
  prompt: readonly number[],
  options: Partial<SequenceRequest> = {},
): SequenceRequest {
  return {
    prompt,
    maxTokens: 8,
    blockSize: 4,
    strategy: { strategy: "first_hitting" },
    temperature: 1,
    topP: 1,
    topK: 0,
    seed: 1,
    choice: 0,
    stopTokens: [],
    minEntropy: 0,
    trace: false,
    ...options,
  };
}

/** `count` different tokens from `first` on. */
export function tokensFrom(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}

/** The first `count` tokens of the test model's answer. Source: the contract, section 13. */
export function copyOf(prompt: readonly number[], count: number): number[] {
  return Array.from({ length: count }, (_, k) => prompt[k % prompt.length] ?? 97);
}

/** The same as text, where `prompt` is ASCII: a character is a token then. */
export function copiedText(prompt: string, count: number): string {
  return prompt.repeat(Math.ceil(count / prompt.length)).slice(0, count);
}
