/** How long a compiled program may take to load its model: as long as kernels take to compile. */
const START_MS = 300_000;
const PROMPT = { prompt: "Once upon a time", max_tokens: 8, seed: 7 };

/**
 * Starts a compiled server on a free port and lets it generate once.
 *
 * @returns What went wrong, or `null`.
 */
export async function checkCompiled(
  path: string,
  environment: Readonly<Record<string, string>>,
): Promise<string | null> {
  const child = new Deno.Command(path, {
    args: ["--port", "0"],
    env: environment,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), START_MS);
  const complaints = new Response(child.stderr).text();
  const lines = new Lines(child.stdout);
  try {
    const address = await lines.find(/^listening on (http:\S+)$/);
    if (address === null) return `it does not listen:\n${(await complaints).trim()}`;
    const problem = await generate(address);
    child.kill("SIGTERM");
    const { code } = await child.status;
    return problem ?? (code === 0 ? null : `it ends with status ${code} when told to`);
  } finally {
    // One that answers no more is waited for until the timer ends it.
    await lines.end();
    await complaints;
    clearTimeout(timer);
  }
}

async function generate(address: string): Promise<string | null> {
  const response = await fetch(`${address}/v1/blocks`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(PROMPT),
  });
  const text = await response.text();
  if (response.ok && /^event: done$/m.test(text)) return null;
  return `it generates nothing: status ${response.status}, ${text.slice(0, 500)}`;
}

/** What a process prints, line by line. */
class Lines {
  readonly #reader: ReadableStreamDefaultReader<string>;

  constructor(output: ReadableStream<Uint8Array>) {
    this.#reader = output.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** The first group of the first whole line that matches; `null` if the output ends before. */
  async find(pattern: RegExp): Promise<string | null> {
    let text = "";
    while (true) {
      const { value, done } = await this.#reader.read();
      if (done) return null;
      text += value;
      const lines = text.split("\n").slice(0, -1);
      const match = lines.map((line) => pattern.exec(line)).find((each) => each !== null);
      if (match) return match[1] ?? "";
    }
  }

  /** Reads on to the end, or the process would wait for a reader. */
  async end(): Promise<void> {
    while (!(await this.#reader.read()).done);
  }
}
