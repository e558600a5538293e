import { join, resolve } from "@std/path";
import { checkCompiled } from "./compiled_check.ts";
import { asksForHelp, describeSettings, readSettings, setting, text, UsageError } from "./flags.ts";
import { type Invocation, ROOT } from "./permissions.ts";
import { RUNTIME_ENVIRONMENT } from "./runtime_environment.ts";

const SETTINGS = {
  output: setting({ ...text, placeholder: "FILE" }, "blockdiffusion", "where the program goes"),
};

const HELP = `Compiles serve, with the model that ships, into one program, and checks that it runs.

Usage: deno task compile [FLAGS]

${describeSettings(SETTINGS)}

What it may do is fixed: listen, read files, read BD_* variables. In the environment: DENORT_BIN is
the runtime to build on, which Deno otherwise downloads from dl.deno.land once.`;

/**
 * What a compiled server may do: its settings are not known yet, so it may listen on any port and
 * read any model, but reach no other machine and neither write nor run anything.
 */
export const COMPILED_PERMISSIONS: readonly string[] = [
  "--no-prompt",
  "--allow-net=127.0.0.1,localhost,0.0.0.0,[::1],[::]",
  "--allow-read",
  "--allow-env=BD_*",
];

/** What compiling needs of the machine. */
export interface Compiler {
  /** Runs Deno to its end. */
  readonly deno: (args: readonly string[]) => Promise<{
    readonly success: boolean;
    readonly stdout: string;
    readonly stderr: string;
  }>;
  /** Says what is wrong with a compiled program, or `null`. */
  readonly check: (path: string) => Promise<string | null>;
  /** Tells the user. */
  readonly say: (line: string) => void;
}

/**
 * Runs `compile`: builds one program of `serve`, and removes it where it turns out not to run.
 *
 * @returns Exit status.
 * @throws {UsageError} If the settings cannot be read.
 */
export async function compile(args: readonly string[], compiler: Compiler): Promise<number> {
  if (asksForHelp(args)) {
    console.log(HELP);
    return 0;
  }
  const path = resolve(readOutput(args));
  const problem = await build(path, compiler) ?? await checkOrRemove(path, compiler);
  if (problem !== null) {
    compiler.say(problem);
    return 1;
  }
  const { size } = await Deno.stat(path);
  compiler.say(`compiled ${path}, ${Math.round(size / 1e6)} MB; it has started and generated`);
  return 0;
}

/** The machine this process runs on. */
export function thisCompiler(environment: Invocation["environment"]): Compiler {
  return {
    deno: (args) => runDeno(args, environment),
    check: (path) => checkCompiled(path, environment),
    say: (line) => console.error(line),
  };
}

/** Builds the program; gives what went wrong, or `null`. */
async function build(path: string, compiler: Compiler): Promise<string | null> {
  const environmentFile = await Deno.makeTempFile({ suffix: ".env" });
  try {
    const lines = Object.entries(RUNTIME_ENVIRONMENT).map((entry) => entry.join("=") + "\n");
    await Deno.writeTextFile(environmentFile, lines.join(""));
    const options = { output: path, environmentFile, excluded: await findIndigestible(compiler) };
    const { success, stderr } = await compiler.deno(compileArguments(options));
    return success ? null : explain(stderr);
  } finally {
    await Deno.remove(environmentFile);
  }
}

async function checkOrRemove(path: string, compiler: Compiler): Promise<string | null> {
  const problem = await compiler.check(path);
  if (problem === null) return null;
  await Deno.remove(path);
  return `Cannot use the compiled program, which was removed: ${problem}`;
}

function readOutput(args: readonly string[]): string {
  const { values, positional } = readSettings(SETTINGS, args, {});
  if (positional.length === 0) return values.output;
  throw new UsageError(`Cannot read the command line: ${JSON.stringify(positional[0])} is no flag`);
}

function compileArguments({ output, environmentFile, excluded }: {
  readonly output: string;
  readonly environmentFile: string;
  readonly excluded: readonly string[];
}): string[] {
  const included = ["src/commands/engine_worker.ts", "models/tinystories-bd3lm"];
  return [
    ...["compile", "--frozen", "--no-check", "--exclude-unused-npm", "--output", output],
    `--env-file=${environmentFile}`,
    ...included.flatMap((path) => ["--include", join(ROOT, path)]),
    ...excluded.flatMap((path) => ["--exclude", path]),
    ...COMPILED_PERMISSIONS,
    join(ROOT, "main.ts"),
    "serve",
  ];
}

/** Deno 2.9 overflows its stack over the data that this package, of the metrics', is tested with. */
async function findIndigestible({ deno }: Compiler): Promise<string[]> {
  const { npmCache } = JSON.parse((await deno(["info", "--json"])).stdout);
  return entriesOf(npmCache)
    .flatMap((registry) => entriesOf(join(registry, "bintrees")))
    .map((version) => join(version, "test"));
}

function entriesOf(directory: string): string[] {
  try {
    return [...Deno.readDirSync(directory)].map(({ name }) => join(directory, name));
  } catch (error) {
    // The cache has more than registries, and registries need not have the package.
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return [];
    }
    throw error;
  }
}

/** Why Deno could not compile, and what to do. */
function explain(stderr: string): string {
  const [url] = /https:\/\/dl\.deno\.land\/\S+\.zip/.exec(stderr) ?? [];
  if (url === undefined) return `Cannot compile: ${stderr.trim()}`;
  return `Cannot compile: Deno could not download its runtime; fetch ${url} elsewhere, unpack it ` +
    "and name the file: DENORT_BIN=FILE deno task compile";
}

async function runDeno(args: readonly string[], environment: Invocation["environment"]) {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: ROOT,
    env: { ...environment, NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { success, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}
