/** How many tokens a request took; those that were computed before are told where there are some. */
export function usageData(
  { promptTokens, completionTokens, cachedTokens }: {
    readonly promptTokens: number;
    readonly completionTokens: number;
    readonly cachedTokens: number;
  },
) {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    ...(cachedTokens > 0 && { prompt_tokens_details: { cached_tokens: cachedTokens } }),
  };
}
