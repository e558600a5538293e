import type { ModelInfo, SequenceRequest } from "../engine/request.ts";
import type { GenerationSummary } from "./generation.ts";

/** One line that tells what a generation took. */
export function summaryLine(
  summary: GenerationSummary,
  { seed }: Pick<SequenceRequest, "seed">,
): string {
  const { tokens, passes } = summary;
  const rate = rateOf(summary);
  const shown = rate === null ? [] : [`${rate.toFixed(1)} tokens/s`];
  return [`${tokens} tokens`, ...shown, `${passes} passes`, `seed ${seed}`].join(", ");
}

/** A generation as `--json` prints it: all that decided it, and what it came to. */
export function toJson(
  summary: GenerationSummary,
  { request, model }: { readonly request: SequenceRequest; readonly model: ModelInfo },
) {
  const { text, tokenIds, tokens, blocks, passes, reason, stop, ms, firstBlockMs } = summary;
  return {
    model: model.id,
    adapter: model.adapter,
    seed: request.seed,
    params: {
      max_tokens: request.maxTokens,
      block_size: request.blockSize,
      ...(request.subBlockSize && { sub_block_size: request.subBlockSize }),
      ...request.strategy,
      temperature: request.temperature,
      top_p: request.topP,
      top_k: request.topK,
    },
    text,
    tokens: tokenIds,
    stop_reason: reason,
    stop,
    usage: { prompt_tokens: request.prompt.length, completion_tokens: tokens },
    blocks,
    passes,
    timings: {
      first_block_ms: round(firstBlockMs),
      generate_ms: round(ms),
      tokens_per_second: round(rateOf(summary) ?? 0),
    },
  };
}

/** Tokens a second; `null` where nothing took any time. */
export function rateOf({ tokens, ms }: GenerationSummary): number | null {
  return ms > 0 ? 1000 * tokens / ms : null;
}

/** To a thousandth: more digits of a duration are noise. */
function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
