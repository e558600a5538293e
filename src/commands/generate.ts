import { compare } from "./compare.ts";
import { GENERATE_HELP, type GenerateOptions, parseGenerateOptions } from "./generate_options.ts";
import { generate, planRequest } from "./generation.ts";
import { summaryLine, toJson } from "./generation_report.ts";
import {
  type OpenedModel,
  processSurroundings,
  runModelCommand,
  type Surroundings,
} from "./model_command.ts";
import { withPipedPrompt } from "./piped_prompt.ts";
import { dim, NOWHERE, ProgressBar } from "./terminal.ts";

/** Prints the continuation of one prompt, block by block, and gives the exit status. */
export function run(
  args: readonly string[],
  open: (options: GenerateOptions) => Promise<OpenedModel>,
  surroundings: Surroundings = processSurroundings(),
): Promise<number> {
  return runModelCommand(args, {
    help: GENERATE_HELP,
    parse: (args) => withPipedPrompt(parseGenerateOptions(args), surroundings.stdin),
    open,
    use: async (model, context) => {
      const task = context.options.comparison === null ? generateOnce : compare;
      await task(model, { ...context, surroundings });
    },
    surroundings,
  });
}

async function generateOnce(
  model: OpenedModel,
  { options, signal, surroundings: { stdout, stderr, randomBytes } }: {
    readonly options: GenerateOptions;
    readonly signal: AbortSignal;
    readonly surroundings: Surroundings;
  },
): Promise<void> {
  const { json, request: { stop } } = options;
  const trace = options.trace && stdout.isTerminal && !json;
  const request = planRequest(options, model, { trace, randomBytes });
  using bar = new ProgressBar(json ? stderr : NOWHERE, "generating");
  const onText = (_: string, tokens: number) => bar.update(tokens, request.maxTokens);
  const output = json ? NOWHERE : stdout;
  const summary = await generate({ request, stop }, { ...model, output, signal, onText });
  if (json) {
    stdout.write(JSON.stringify(toJson(summary, { request, model: model.engine.model })) + "\n");
  } else if (stderr.isTerminal) {
    stderr.write(dim(stderr, summaryLine(summary, request)) + "\n");
  }
}
