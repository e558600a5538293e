import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { deadline } from "../support/deadline.ts";
import { fixtureFolders } from "../support/fixtures.ts";
import { ROOT, runDeno, RunningDeno } from "../support/process.ts";
import { sha256 } from "../support/sha256.ts";

const LAUNCH = ["run", "--allow-all", `${ROOT}src/commands/launch.ts`];
const PROMPTS = ["Once upon a time", "The cat", "", "One day, Tim and his mom went to the park."];

interface Answer {
  readonly text: string;
  readonly tokens: number;
  readonly done: {
    readonly text_sha256: string;
    readonly finish_reason: string;
    readonly usage: { readonly completion_tokens: number };
  };
}

/** Reads the address from what a server prints at its start. */
async function addressOf(server: RunningDeno): Promise<{ address: string; lines: string[] }> {
  const lines: string[] = [];
  while (true) {
    const line = await server.line();
    if (line === null) throw new Error(`Cannot find the address: it printed ${lines.join("\n")}`);
    lines.push(line);
    const match = /^listening on (http:\/\/\S+)$/.exec(line);
    if (match) return { address: match[1]!, lines };
  }
}

async function generate(address: string, body: Record<string, unknown>): Promise<Answer> {
  const response = await fetch(`${address}/v1/blocks`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  assertEquals(response.status, 200);
  assertEquals(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
  const events = (await response.text()).split("\n\n").flatMap((event) => {
    const name = /^event: (.*)$/m.exec(event)?.[1];
    const data = /^data: (.*)$/m.exec(event)?.[1];
    return name && data ? [{ name, data: JSON.parse(data) }] : [];
  });
  const blocks = events.filter(({ name }) => name === "block").map(({ data }) => data);
  assertEquals(events.at(-1)?.name, "done");
  return {
    text: blocks.map(({ text }) => text).join(""),
    tokens: blocks.reduce((sum, { tokens }) => sum + tokens.length, 0),
    done: events.at(-1)!.data,
  };
}

Deno.test("serve streams the shipped model to 32 clients at once, each as if alone", async () => {
  await using server = new RunningDeno([...LAUNCH, "serve", "--port", "0", "--engines", "2"]);
  const { address, lines } = await addressOf(server);
  assertMatch(lines.join("\n"), /^serving tinystories-bd3lm on .*, 2 engines$/m);
  assertEquals(await (await fetch(`${address}/ready`)).json(), { status: "ready" });
  const bodies = Array.from({ length: 32 }, (_, seed) => ({
    prompt: PROMPTS[seed % PROMPTS.length],
    max_tokens: 12 + seed % 5,
    top_p: 0.8,
    seed,
    block_size: [8, 4, 16][seed % 3],
    ignore_eos: true,
  }));
  const together = await Promise.all(bodies.map((body) => generate(address, body)));
  for (const [i, { text, tokens, done }] of together.entries()) {
    assertEquals(tokens, bodies[i]!.max_tokens);
    assertEquals(done.usage.completion_tokens, tokens);
    assertEquals(done.finish_reason, "length");
    assertEquals(done.text_sha256, await sha256(text));
    assert(/[a-z]/.test(text), text);
  }
  for (const i of [0, 6, 15, 31]) {
    assertEquals((await generate(address, bodies[i]!)).text, together[i]!.text);
  }
  server.process.kill("SIGTERM");
  assertEquals((await server.process.status).code, 0);
});

Deno.test("serve refuses a damaged checkpoint with the line of check and status 1", async () => {
  // A fixture: it has no tokenizer.
  const [directory = ""] = fixtureFolders();
  const { status, stderr } = await runDeno([
    ...LAUNCH,
    "serve",
    "--port",
    "0",
    "--model",
    directory,
  ]);
  assertEquals(status, 1);
  const report = JSON.parse(stderr.trim());
  assertEquals([report.ok, report.file, report.code], [false, "tokenizer.json", "missing_file"]);
});

Deno.test("serve refuses a model that the device cannot hold with both numbers", async () => {
  const { status, stderr } = await runDeno([...LAUNCH, "serve", "--port", "0"], {
    BD_DEVICE_MEMORY: "20000000",
  });
  assertEquals(status, 1);
  assertMatch(stderr, /takes about \d+ MiB of device memory .* expected at most 20 MiB/);
});

Deno.test("deno serve main.ts answers, its first request waits for the model, and it ends", async () => {
  const permissions = ["--allow-net", "--allow-env=BD_*", `--allow-read=${ROOT}`];
  const where = ["--host", "127.0.0.1", "--port", "0"];
  const process = new Deno.Command(Deno.execPath(), {
    args: ["serve", "--no-prompt", ...permissions, ...where, "main.ts"],
    cwd: ROOT,
    stdout: "null",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).spawn();
  const reader = process.stderr.pipeThrough(new TextDecoderStream()).getReader();
  let printed = "";
  while (!/:\d+\//.test(printed)) printed += (await reader.read()).value ?? "";
  const address = /http:\/\/\S+:\d+/.exec(printed)![0];
  const { text } = await generate(address, { prompt: "Once upon a time", max_tokens: 8, seed: 1 });
  assert(text.length > 0);
  process.kill("SIGTERM");
  const { code, signal } = await deadline(process.status, "the end after SIGTERM");
  assertEquals([code, signal], [0, null]);
  await reader.cancel();
});

Deno.test("generate prints the text of a seed, alike every time, to a pipe without colours", async () => {
  const args = [...LAUNCH, "generate", "Once upon a time", "--max-tokens", "12", "--seed", "7"];
  const [first, second] = [await runDeno(args), await runDeno([...args, "--trace"])];
  assertEquals(first.status, 0);
  assertEquals(first.stdout, second.stdout);
  assertStringIncludes(first.stdout, " ");
  assert(!first.stdout.includes("\x1b"));
});
