import type { Tokenizer } from "../text/tokenizer.ts";
import { ProgressBar, type TerminalOutput } from "./terminal.ts";

/** A tokenizer that shows on a terminal how much of a long text it has been given. */
export class TokenisingBar implements Disposable {
  readonly #tokenizer: Pick<Tokenizer, "encode">;
  readonly #bar: ProgressBar;
  readonly #length: number;
  #done = 0;

  /** @param options `length` of all text in UTF-16 units, which is what strings count. */
  constructor(
    output: TerminalOutput,
    { tokenizer, length }: {
      readonly tokenizer: Pick<Tokenizer, "encode">;
      readonly length: number;
    },
  ) {
    this.#tokenizer = tokenizer;
    this.#bar = new ProgressBar(output, "tokenising");
    this.#length = length;
  }

  /** Text to token ids, without special tokens. */
  encode(text: string): number[] {
    const tokens = this.#tokenizer.encode(text);
    this.#done += text.length;
    this.#bar.update(this.#done, this.#length);
    return tokens;
  }

  /** Removes the bar. */
  [Symbol.dispose](): void {
    this.#bar[Symbol.dispose]();
  }
}
