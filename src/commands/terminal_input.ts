/** Where text comes from: a terminal, or a file or pipe in its place. */
export interface TerminalInput {
  readonly isTerminal: boolean;
  /** The bytes, to be asked for once. */
  open(): ReadableStream<Uint8Array>;
}

/** Wraps stdin of this process. */
export function processInput(): TerminalInput {
  return { isTerminal: Deno.stdin.isTerminal(), open: () => Deno.stdin.readable };
}

/** Reads lines without their ends; the last one may lack it. A terminal ends with Ctrl-D. */
export class LineReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #decoder = new TextDecoder();
  #rest = "";
  #isAtEnd = false;

  constructor(bytes: ReadableStream<Uint8Array>) {
    this.#reader = bytes.getReader();
  }

  /** The next line; `null` after the last one. */
  async next(): Promise<string | null> {
    let end = this.#rest.indexOf("\n");
    while (end === -1 && !this.#isAtEnd) {
      const { value, done } = await this.#reader.read();
      this.#isAtEnd = done;
      const text = done ? this.#decoder.decode() : this.#decoder.decode(value, { stream: true });
      this.#rest += text;
      end = this.#rest.indexOf("\n");
    }
    if (end === -1 && this.#rest === "") return null;
    const line = end === -1 ? this.#rest : this.#rest.slice(0, end);
    this.#rest = end === -1 ? "" : this.#rest.slice(end + 1);
    return line.replace(/\r$/, "");
  }
}
