import { generate, planRequest } from "./generation.ts";
import { processSurroundings, runModelCommand, type Surroundings } from "./model_command.ts";
import { openProfiledModel, type ProfiledModel } from "./open_profiled_model.ts";
import { withPipedPrompt } from "./piped_prompt.ts";
import { parseProfileOptions, PROFILE_HELP, type ProfileOptions } from "./profile_options.ts";
import { profileTable } from "./profile_table.ts";
import { traceFile } from "./trace_file.ts";
import { NOWHERE } from "./terminal.ts";

/** Blocks that are generated before times count: every kernel has run and is compiled then. */
const WARM_UP_BLOCKS = 2;

/**
 * Prints the continuation of one prompt and the time per kernel, writes a trace file where asked to,
 * and gives the exit status.
 */
export function run(
  args: readonly string[],
  surroundings: Surroundings = processSurroundings(),
): Promise<number> {
  return runModelCommand(args, {
    help: PROFILE_HELP,
    parse: (args) => withPipedPrompt(parseProfileOptions(args), surroundings.stdin),
    open: openProfiledModel,
    use: (model, context) => profile(model, { ...context, surroundings }),
    surroundings,
  });
}

async function profile(
  model: ProfiledModel,
  { options, signal, surroundings }: {
    readonly options: ProfileOptions;
    readonly signal: AbortSignal;
    readonly surroundings: Surroundings;
  },
): Promise<void> {
  const { stdout, randomBytes } = surroundings;
  const request = planRequest(options, model, { trace: false, randomBytes });
  const maxTokens = Math.min(request.maxTokens, WARM_UP_BLOCKS * request.blockSize);
  const warmUp = { request: { ...request, maxTokens }, stop: [] };
  await generate(warmUp, { ...model, output: NOWHERE, signal });
  await model.takeTimes();
  const beginMs = performance.now();
  const context = { ...model, output: stdout, signal };
  const summary = await generate({ request, stop: options.request.stop }, context);
  const times = await model.takeTimes();
  const endMs = Math.max(...times.spans.map((span) => span.endMs));
  stdout.write("\n" + profileTable(times, { ...summary, wallMs: endMs - beginMs }));
  if (options.traceFile === null) return;
  const trace = traceFile(times, { adapter: model.engine.model.adapter });
  writeFile(options.traceFile, JSON.stringify(trace));
}

function writeFile(path: string, content: string): void {
  try {
    Deno.writeTextFileSync(path, content);
  } catch (cause) {
    const { message } = cause as Error; // Deno throws nothing else.
    throw new Error(`Cannot write ${JSON.stringify(path)}: ${message}`, { cause });
  }
}
