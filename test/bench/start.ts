import { resolve } from "@std/path";
import { runScript } from "./child.ts";
import type { Figures } from "./figures.ts";

const ROOT = resolve(import.meta.dirname!, "../..");
const PORT = 18_431;

/** From the start of a process to its first block, with an empty shader cache and with a full one. */
export async function benchStart(): Promise<Figures> {
  const cache = Deno.makeTempDirSync();
  try {
    const coldCompile = await compile(cache);
    const warmCompile = await compile(cache);
    // The server starts without what that has left.
    Deno.removeSync(cache, { recursive: true });
    Deno.mkdirSync(cache);
    const cold = await start(cache);
    const warm = await start(cache);
    const serverless = await startServerless(cache);
    return {
      "compiling all pipelines, cold shader cache": {
        value: coldCompile,
        unit: "s",
        goal: { atMost: 3 },
      },
      "compiling all pipelines, warm shader cache": {
        value: warmCompile,
        unit: "s",
        goal: { atMost: 1 },
      },
      "start to listening, cold shader cache": { value: cold.listeningMs, unit: "ms" },
      "start to listening, warm shader cache": { value: warm.listeningMs, unit: "ms" },
      "start to first block, cold shader cache": { value: cold.firstBlockMs, unit: "ms" },
      "start to first block, warm shader cache": { value: warm.firstBlockMs, unit: "ms" },
      "deno serve: start to first block, warm": { value: serverless, unit: "ms" },
    };
  } finally {
    Deno.removeSync(cache, { recursive: true });
  }
}

/** Seconds that a first generation takes beyond a second one. */
async function compile(cache: string): Promise<number> {
  // The script's only output.
  return await runScript("compile.ts", { MESA_SHADER_CACHE_DIR: cache }) as number;
}

function spawn(args: readonly string[], cache: string): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: ROOT,
    env: { MESA_SHADER_CACHE_DIR: cache },
    stdout: "piped",
    stderr: "null",
  }).spawn();
}

async function start(cache: string): Promise<{ listeningMs: number; firstBlockMs: number }> {
  const begin = performance.now();
  const args = ["run", "--allow-all", "main.ts", "serve", "--port", String(PORT)];
  const child = spawn(args, cache);
  for await (
    const text of child.stdout.pipeThrough(new TextDecoderStream()).values({ preventCancel: true })
  ) {
    if (text.includes("listening on")) break;
  }
  const listeningMs = performance.now() - begin;
  await firstBlock();
  const firstBlockMs = performance.now() - begin;
  child.kill("SIGKILL");
  await child.status;
  return { listeningMs, firstBlockMs };
}

async function startServerless(cache: string): Promise<number> {
  const begin = performance.now();
  const args = ["serve", "--allow-all", "--host", "127.0.0.1", "--port", String(PORT), "main.ts"];
  const child = spawn(args, cache);
  while (!await firstBlock().then(() => true, () => false)) {
    // The socket is not open yet.
    await new Promise((done) => setTimeout(done, 5));
  }
  const ms = performance.now() - begin;
  child.kill("SIGKILL");
  await child.status;
  return ms;
}

async function firstBlock(): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${PORT}/v1/blocks`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ prompt: "Once upon a time", max_tokens: 16, seed: 1 }),
  });
  let text = "";
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.includes("event: block")) return;
  }
  throw new Error(`Cannot measure: the answer has no block: ${text}`);
}
