import {
  type Command as CommandName,
  describeCommands,
  isCommand,
} from "./src/commands/commands.ts";
import { describeConfig } from "./src/commands/config.ts";
import { UsageError } from "./src/commands/flags.ts";
import type { openModel } from "./src/commands/open_model.ts";
import { followLauncher } from "./src/commands/leash.ts";

/** One file of `src/commands` each; loaded when asked for. */
const FILES: Readonly<Record<CommandName, () => Promise<Command>>> = {
  serve: () => import("./src/commands/serve.ts"),
  generate: async () => withModel(await import("./src/commands/generate.ts")),
  chat: async () => withModel(await import("./src/commands/chat.ts")),
  profile: () => import("./src/commands/profile.ts"),
  evaluate: () => import("./src/commands/evaluate.ts"),
  train: () => import("./src/commands/train.ts"),
  tokenizer: () => import("./src/commands/train_tokenizer.ts"),
  doctor: () => import("./src/commands/doctor.ts"),
  check: () => import("./src/commands/check.ts"),
  pull: () => import("./src/commands/pull.ts"),
  quantize: () => import("./src/commands/quantize.ts"),
};

interface Command {
  /** Gives the exit status. */
  run(args: string[]): Promise<number>;
}

type Handler = (request: Request, info: Deno.ServeHandlerInfo) => Promise<Response>;

const HELP = `Samples text from block diffusion language models.

Usage: deno task COMMAND [ARGUMENTS]

${describeCommands()}

COMMAND --help explains its flags. Settings of serve:

${describeConfig()}`;

let handler: Promise<Handler> | undefined;

/** The serverless form, `deno serve main.ts`: settings come from the environment alone. */
export default {
  /** Answers a request; the first one starts the engine and waits for the model. */
  async fetch(request: Request, info: Deno.ServeHandlerInfo): Promise<Response> {
    handler ??= import("./src/commands/serve.ts").then((serve) => serve.serverlessHandler());
    return await (await handler.catch(giveUp))(request, info);
  },
};

/** Without an engine there is nothing to wait for: whoever started this process must hear of it. */
function giveUp(error: unknown): never {
  console.error(error instanceof Error ? error.message : String(error));
  Deno.exit(1);
}

/** A command whose model is opened in a Worker of its own. */
async function withModel(
  { run }: { run(args: string[], open: typeof openModel): Promise<number> },
): Promise<Command> {
  const { openModel } = await import("./src/commands/open_model.ts");
  return { run: (args) => run(args, openModel) };
}

/** Runs the command that the first argument names and gives its exit status. */
async function main(args: string[]): Promise<number> {
  const [first = "", ...rest] = args;
  if (["help", "--help", "-h"].includes(first)) {
    console.log(HELP);
    return 0;
  }
  const isFlag = first.startsWith("-");
  if (!isFlag && !isCommand(first)) {
    console.error(`Cannot run ${JSON.stringify(first)}: it is no command\n\n${HELP}`);
    return 2;
  }
  const command = await FILES[isCommand(first) ? first : "serve"]();
  try {
    return await command.run(isFlag ? args : rest);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(error.message);
    return 2;
  }
}

// `deno serve` gives no arguments and wants the default export only.
if (import.meta.main && Deno.args.length > 0) {
  void followLauncher();
  Deno.exit(await main(Deno.args));
}

// What is left is the serverless form. Where it is traced, that begins before fetch() is called.
const { hideTargets } = await import("./src/telemetry/tracing.ts");
hideTargets();
