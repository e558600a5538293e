/**
 * Fields of OpenAI's API that an endpoint may not implement, each with the values, as JSON, at which
 * it changes nothing. `null` is neutral for all.
 */
export const NEUTRAL: Readonly<Record<string, readonly string[]>> = {
  frequency_penalty: ["0"],
  presence_penalty: ["0"],
  logit_bias: ["{}"],
  // Of completions: there it is a number in `logprobs`.
  top_logprobs: ["0"],
  best_of: ["1"],
  suffix: ['""'],
  response_format: ['{"type":"text"}'],
  tools: ["[]"],
  functions: ["[]"],
  tool_choice: ['"none"', '"auto"'],
  function_call: ['"none"', '"auto"'],
  parallel_tool_calls: ["true", "false"],
  modalities: ['["text"]'],
  service_tier: ['"auto"', '"default"'],
  reasoning_effort: [],
  verbosity: [],
  prediction: [],
  audio: [],
  web_search_options: [],
};

/** Whether `name` is a field of OpenAI's API that an endpoint may not implement. */
export function isUnsupported(name: string): boolean {
  return Object.hasOwn(NEUTRAL, name);
}

/** Whether the unsupported field `name` changes nothing at `value`. */
export function isNeutral(name: string, value: unknown): boolean {
  return NEUTRAL[name]!.includes(JSON.stringify(value));
}
