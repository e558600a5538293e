import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { writeTinyCheckpoint } from "../support/checkpoints.ts";
import { deadline } from "../support/deadline.ts";
import { HubServer } from "../support/hub_server.ts";
import { copyProject } from "../support/project_copy.ts";

const STORY = "The cat sat on the mat, and then it slept all day.\n<|endoftext|>\n";
/** What a copy needs for its tasks and for what they write. */
const PARTS = ["deno.json", "deno.lock", "main.ts", "src", "kernels", "models", "docs"];

/**
 * A copy of the project with what the documents take for granted: texts, a model in the home
 * directory, and a hub. Small models stand for large ones.
 */
export class Workshop implements AsyncDisposable {
  readonly #root: string;
  readonly #hub: HubServer;
  readonly #environment: Readonly<Record<string, string>>;

  private constructor(root: string, hub: HubServer) {
    this.#root = root;
    this.#hub = hub;
    this.#environment = {
      HOME: join(root, "home"),
      PATH: `${join(root, "bin")}:${Deno.env.get("PATH")}`,
      NO_COLOR: "1",
      BD_MODEL: join(root, "tiny"),
      BD_PORT: "0",
      BD_NO_INSTALL: "1",
      HF_ENDPOINT: hub.endpoint,
      HF_HOME: join(root, "home/huggingface"),
      DENO_DIR: denoDirectory(),
      STORAGE_HOST: hub.storageHost,
      TINY: join(root, "tiny"),
    };
  }

  static async open(): Promise<Workshop> {
    const root = await Deno.makeTempDir({ prefix: "blockdiffusion-docs-" });
    await copyProject(join(root, "project"), PARTS);
    // Wide enough for training and for every format of weights.
    const config = { hidden_dim: 32, n_heads: 2, n_blocks: 1, model_length: 128 };
    writeTinyCheckpoint(join(root, "tiny"), { config });
    const owt = writeTinyCheckpoint(join(root, "home/models/bd3lm-owt-block_size16"), { config });
    for (const name of ["stories.txt.gz", "held_out.txt.gz"]) {
      await writeCompressed(join(root, "project", name), STORY.repeat(200));
    }
    await Deno.mkdir(join(root, "bin"));
    await Deno.symlink(Deno.execPath(), join(root, "bin/deno"));
    const files = filesIn(owt);
    return new Workshop(
      root,
      new HubServer(
        { id: "kuleshov-group/bd3lm-owt-block_size16", files },
        { id: "openai-community/gpt2", files },
      ),
    );
  }

  /** Runs a command to its end. @throws {Error} If it fails. */
  async run(command: string, { input = "" }: { input?: string } = {}): Promise<void> {
    const child = this.#spawn(command);
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(input));
    await writer.close();
    const { code, stdout, stderr } = await child.output();
    if (code === 0 && stdout.length + stderr.length > 0) return;
    if (code === 0 && command.includes(" > ")) return;
    throw new Error(`"${command}" ended with ${code}: ${decode(stdout)}${decode(stderr)}`);
  }

  /** Runs a command that serves until it is ready, and ends it. @throws {Error} If it fails. */
  async serve(command: string): Promise<void> {
    const child = this.#spawn(`${command} 2>&1`);
    const output = new Output(child.stdout);
    try {
      const port = await output.match(/listening on http:\S+?:(\d+)\/?$/im);
      if (port === null) throw new Error(`it printed ${output.text}`);
      const response = await deadline(fetch(`http://127.0.0.1:${port}/health`), "its answer");
      assertEquals(await response.json(), { status: "ok" });
    } catch (cause) {
      throw new Error(`"${command}" does not serve: ${(cause as Error).message}`, { cause });
    } finally {
      await child.stdin.close();
      end(child);
      await deadline(child.status, `the end of "${command}"`);
      await child.stderr.cancel();
      await output.ended;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#hub[Symbol.asyncDispose]();
    await Deno.remove(this.#root, { recursive: true });
  }

  #spawn(command: string): Deno.ChildProcess {
    return new Deno.Command("sh", {
      // In place of the shell, so that signals reach it.
      args: ["-c", command.replace(/(^|[A-Z0-9)] )deno /, "$1exec deno ")],
      cwd: join(this.#root, "project"),
      env: this.#environment,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  }
}

/** What a process prints: read to the end, or it would wait for a reader. */
class Output {
  text = "";
  readonly ended: Promise<void>;
  #onText = () => {};

  constructor(stream: ReadableStream<Uint8Array>) {
    this.ended = this.#read(stream);
  }

  /** The group of `pattern` that matched, once it does; `null` if the output ends before. */
  async match(pattern: RegExp): Promise<string | null> {
    const found = Promise.withResolvers<string>();
    this.#onText = () => {
      const [, group] = pattern.exec(this.text) ?? [];
      if (group !== undefined) found.resolve(group);
    };
    this.#onText();
    return await Promise.race([found.promise, this.ended.then(() => null)]);
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      this.text += text;
      this.#onText();
    }
  }
}

function end(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGTERM");
  } catch (error) {
    // It has ended by itself, which the caller tells of.
    if (!(error instanceof TypeError)) throw error;
  }
}

/** With another home directory Deno would fetch all packages again. */
function denoDirectory(): string {
  const { stdout } = new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).outputSync();
  return JSON.parse(decode(stdout)).denoDir;
}

function filesIn(directory: string): Record<string, Uint8Array> {
  const names = Array.from(Deno.readDirSync(directory), ({ name }) => name);
  return Object.fromEntries(
    names.map((name) => [name, Deno.readFileSync(join(directory, name))]),
  );
}

async function writeCompressed(path: string, text: string): Promise<void> {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  await Deno.writeFile(path, stream);
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
