import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { compile, COMPILED_PERMISSIONS, type Compiler } from "../../src/commands/compile.ts";
import { checkCompiled } from "../../src/commands/compiled_check.ts";
import { ROOT, runDeno } from "../support/process.ts";

// As Deno 2.9.6 says it.
const NO_DOWNLOAD = `Compile main.ts to blockdiffusion
Download https://dl.deno.land/release/v2.9.6/denort-x86_64-unknown-linux-gnu.zip
error: Writing deno compile executable to temporary file 'blockdiffusion.tmp-1'
Caused by:
    1: error sending request for url (https://dl.deno.land/release/v2.9.6/denort-x86_64-unknown-linux-gnu.zip): client error (Connect): dns error
`;

async function inTempDir(use: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "blockdiffusion-compile-" });
  try {
    await use(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** A compiler that writes a file of 3 MB, and all that it was told and says. */
function fakeCompiler({ stderr = "", problem = null }: {
  stderr?: string;
  problem?: string | null;
} = {}) {
  const commands: (readonly string[])[] = [];
  /** What the program finds in its environment where nobody says otherwise. */
  const environments: string[] = [];
  const said: string[] = [];
  const compiler: Compiler = {
    deno: async (args) => {
      commands.push(args);
      if (args[0] === "info") {
        return { success: true, stdout: JSON.stringify({ npmCache: "/nonexistent" }), stderr: "" };
      }
      const [environmentFile] = args.flatMap((each) => /^--env-file=(.*)/.exec(each)?.[1] ?? []);
      environments.push(await Deno.readTextFile(environmentFile!));
      if (stderr === "") await Deno.writeFile(outputOf(args), new Uint8Array(3e6));
      return { success: stderr === "", stdout: "", stderr };
    },
    check: () => Promise.resolve(problem),
    say: (line) => void said.push(line),
  };
  return { compiler, commands, environments, said };
}

function outputOf(args: readonly string[]): string {
  return args[args.indexOf("--output") + 1]!;
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

Deno.test("compile() embeds the Worker and the model, and allows what serving needs", async () => {
  await inTempDir(async (directory) => {
    const { compiler, commands, environments, said } = fakeCompiler();
    const path = join(directory, "server");
    assertEquals(await compile(["--output", path], compiler), 0);
    assertEquals(said, [`compiled ${path}, 3 MB; it has started and generated`]);
    const [, args = []] = commands;
    assertEquals(args.slice(-2), [`${ROOT}main.ts`, "serve"]);
    const included = args.filter((_, i) => args[i - 1] === "--include");
    assertEquals(included, [
      `${ROOT}src/commands/engine_worker.ts`,
      `${ROOT}models/tinystories-bd3lm`,
    ]);
    for (const each of [...included, `${ROOT}main.ts`]) assert(await exists(each), each);
    assertEquals(args.filter((each) => /^--(allow|deny)|^-A/.test(each)), [
      "--allow-net=127.0.0.1,localhost,0.0.0.0,[::1],[::]",
      "--allow-read",
      "--allow-env=BD_*",
    ]);
    assertMatch(environments.join(), /^DENO_WEBGPU_BACKEND=vulkan,metal,dx12$/m);
  });
});

Deno.test("compile() says in one line what to do where the runtime cannot be had", async () => {
  const { compiler, said } = fakeCompiler({ stderr: NO_DOWNLOAD });
  assertEquals(await compile([], compiler), 1);
  assertEquals(said, [
    "Cannot compile: Deno could not download its runtime; fetch " +
    "https://dl.deno.land/release/v2.9.6/denort-x86_64-unknown-linux-gnu.zip elsewhere, unpack it " +
    "and name the file: DENORT_BIN=FILE deno task compile",
  ]);
});

Deno.test("compile() shows any other failure as Deno tells it", async () => {
  const { compiler, said } = fakeCompiler({ stderr: "error: Module not found\n" });
  assertEquals(await compile([], compiler), 1);
  assertEquals(said, ["Cannot compile: error: Module not found"]);
});

Deno.test("compile() removes a program that does not run", async () => {
  await inTempDir(async (directory) => {
    const { compiler, said } = fakeCompiler({ problem: "it does not listen" });
    const path = join(directory, "server");
    assertEquals(await compile(["--output", path], compiler), 1);
    assertEquals(await exists(path), false);
    assertStringIncludes(said[0]!, "it does not listen");
  });
});

Deno.test("the task compiles this project, and finds out that Deno itself is no runtime", async () => {
  await inTempDir(async (directory) => {
    const path = join(directory, "server");
    const args = ["run", "--allow-all", `${ROOT}src/commands/launch.ts`, "compile"];
    // As long as it is no program made for this, what is built on it is Deno, which knows no --port.
    const environment = { DENORT_BIN: Deno.execPath() };
    const { status, stderr } = await runDeno([...args, "--output", path], environment);
    assertEquals(status, 1);
    assertMatch(stderr, /^Cannot use the compiled program, which was removed: it does not listen:/);
    assertMatch(stderr, /unexpected argument '--port'/);
    assertEquals(await exists(path), false);
  });
});

/** A program that stands for a compiled one. */
async function writeProgram(path: string, command: string): Promise<void> {
  await Deno.writeTextFile(path, `#!/bin/sh\n${command}\n`, { mode: 0o755 });
}

Deno.test("checkCompiled() lets a server with these permissions start and generate", async () => {
  await inTempDir(async (directory) => {
    const path = join(directory, "server");
    const flags = ["--frozen", ...COMPILED_PERMISSIONS].map((each) => `'${each}'`).join(" ");
    await writeProgram(path, `exec ${Deno.execPath()} run ${flags} ${ROOT}main.ts serve "$@"`);
    assertEquals(await checkCompiled(path, {}), null);
  });
});

Deno.test("checkCompiled() finds out what does not serve", async () => {
  await inTempDir(async (directory) => {
    const path = join(directory, "server");
    await writeProgram(path, "echo listening; echo no such model >&2; exit 1");
    assertEquals(await checkCompiled(path, {}), "it does not listen:\nno such model");
    // A server that answers, but not as ours does.
    const source = "Deno.serve({ hostname: '127.0.0.1', port: 0, onListen: ({ port }) => " +
      "console.log('listening on http://127.0.0.1:' + port) }, () => new Response('hello'));" +
      "Deno.addSignalListener('SIGTERM', () => Deno.exit(0));";
    await writeProgram(path, `exec ${Deno.execPath()} eval "${source}"`);
    const problem = await checkCompiled(path, {});
    assertEquals(problem, "it generates nothing: status 200, hello");
  });
});
