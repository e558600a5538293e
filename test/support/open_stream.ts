import type { TestServer } from "./test_server.ts";

/** A stream that is under way. */
export class OpenStream {
  readonly #reader: ReadableStreamDefaultReader<string>;
  #text = "";

  private constructor(response: Response) {
    this.#reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Posts to `/v1/blocks` and reads until `part` has come. */
  static async open(
    server: TestServer,
    body: object,
    { part = "event: block" }: { readonly part?: string } = {},
  ): Promise<OpenStream> {
    const stream = new OpenStream(await server.post("/v1/blocks", body));
    await stream.readTo(part);
    return stream;
  }

  /** What has come so far. */
  get text(): string {
    return this.#text;
  }

  /**
   * Reads until `part` has come; what has come so far.
   *
   * @throws {Error} If it does not come.
   */
  async readTo(part: string): Promise<string> {
    while (!this.#text.includes(part)) {
      const { value, done } = await this.#reader.read();
      if (done) throw new Error(`Cannot find ${part}: the stream ends with ${this.#text}`);
      this.#text += value;
    }
    return this.#text;
  }

  /** What has come when the stream ends. */
  async readToEnd(): Promise<string> {
    for (let part = await this.#reader.read(); !part.done; part = await this.#reader.read()) {
      this.#text += part.value;
    }
    return this.#text;
  }

  /** Closes the connection. */
  async leave(): Promise<void> {
    await this.#reader.cancel();
  }
}

/** Asks until the answer has this status; each answer is a round trip. */
export async function until(status: number, ask: () => Promise<Response>): Promise<Response> {
  while (true) {
    const response = await ask();
    if (response.status === status) return response;
    await response.body?.cancel();
  }
}
