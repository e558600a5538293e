import { describeConfig } from "./src/commands/config.ts";
import { UsageError } from "./src/commands/flags.ts";
import { followLauncher } from "./src/commands/leash.ts";

/** One file of `src/commands` each; loaded when asked for. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  serve: () => import("./src/commands/serve.ts"),
  generate: async () => {
    const { openModel } = await import("./src/commands/open_model.ts");
    const { run } = await import("./src/commands/generate.ts");
    return { run: (args) => run(args, openModel) };
  },
  profile: () => import("./src/commands/profile.ts"),
  evaluate: () => import("./src/commands/evaluate.ts"),
  train: () => import("./src/commands/train.ts"),
  tokenizer: () => import("./src/commands/train_tokenizer.ts"),
  doctor: () => import("./src/commands/doctor.ts"),
  check: () => import("./src/commands/check.ts"),
  pull: () => import("./src/commands/pull.ts"),
};

interface Command {
  /** Gives the exit status. */
  run(args: string[]): Promise<number>;
}

type Handler = (request: Request, info: Deno.ServeHandlerInfo) => Promise<Response>;

const HELP = `Samples text from block diffusion language models.

Usage: deno task COMMAND [ARGUMENTS]

  serve            answer HTTP requests; where only flags are given, too
  generate PROMPT  print what the model makes of a prompt
  profile PROMPT   say how long which kernel takes for that
  evaluate         say how likely the model finds a text
  train            train a model on a text
  tokenizer        learn a tokenizer from a text
  pull ORG/NAME    download a model from a hub
  check DIR        say whether a checkpoint can be served
  doctor           say whether this machine can serve

Settings of serve:

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

/** Runs the command that the first argument names and gives its exit status. */
async function main(args: string[]): Promise<number> {
  const [first = "", ...rest] = args;
  const isHelp = (each: string) => each === "--help" || each === "-h";
  if (first === "help" || isHelp(first) || first === "serve" && rest.some(isHelp)) {
    console.log(HELP);
    return 0;
  }
  const isFlag = first.startsWith("-");
  const load = isFlag ? COMMANDS.serve : Object.hasOwn(COMMANDS, first) && COMMANDS[first];
  if (!load) {
    console.error(`Cannot run ${JSON.stringify(first)}: it is no command\n\n${HELP}`);
    return 2;
  }
  const command = await load();
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
