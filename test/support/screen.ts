import type { TerminalOutput } from "../../src/commands/terminal.ts";

interface Cell {
  /** Empty in the right half of a wide character. */
  readonly character: string;
  readonly isDim: boolean;
}

const BLANK: Cell = { character: " ", isDim: false };

/**
 * A terminal as xterm is: a grid of cells with lines that scroll out at the top. A character in the
 * last cell leaves the cursor on it until another one comes. Throws for what it does not know.
 */
export class Screen implements TerminalOutput {
  readonly isTerminal = true;
  readonly hasColors: boolean;
  readonly #columns: number;
  readonly #rows: number;
  /** All lines, those that have scrolled out too; the last `rows` of them are on the screen. */
  readonly #lines: Cell[][] = [[]];
  #top = 0;
  #row = 0;
  #column = 0;
  #wraps = false;
  #isDim = false;
  isCursorVisible = true;
  /** Everything written. */
  written = "";

  constructor(columns: number, rows: number, { hasColors = true } = {}) {
    this.#columns = columns;
    this.#rows = rows;
    this.hasColors = hasColors;
  }

  size(): { columns: number; rows: number } {
    return { columns: this.#columns, rows: this.#rows };
  }

  /** The lines without blanks at their ends, from the first that ever was. */
  get lines(): string[] {
    const lines = this.#lines.map((cells) =>
      cells.map(({ character }) => character).join("").trimEnd()
    );
    while (lines.length > 1 && lines.at(-1) === "") lines.pop();
    return lines;
  }

  /** The same, with `·` for every dim cell. */
  get dimLines(): string[] {
    return this.#lines.map((cells) =>
      cells.map(({ character, isDim }) => isDim ? "·" : character).join("").trimEnd()
    );
  }

  /** Where the cursor is; rows count from the first that ever was. */
  get cursor(): { row: number; column: number } {
    return { row: this.#row, column: this.#column };
  }

  write(text: string): void {
    this.written += text;
    // One control sequence, or one character.
    // deno-lint-ignore no-control-regex
    for (const [token, parameter, command] of text.matchAll(/\x1b\[([?\d]*)([A-Za-z])|[^]/gu)) {
      if (command !== undefined) this.#control(command, parameter!);
      else this.#put(token);
    }
  }

  #control(command: string, parameter: string): void {
    const count = Number(parameter || 1);
    switch (command + (command === "h" || command === "l" ? parameter : "")) {
      case "A":
        this.#move(Math.max(this.#row - count, this.#top), this.#column);
        return;
      case "G":
        this.#move(this.#row, Math.min(count, this.#columns) - 1);
        return;
      case "J":
        this.#lines.length = this.#row + 1;
        this.#lines[this.#row]!.length = Math.min(this.#lines[this.#row]!.length, this.#column);
        return;
      case "K":
        this.#lines[this.#row]!.length = Math.min(this.#lines[this.#row]!.length, this.#column);
        return;
      case "m":
        if (parameter !== "0" && parameter !== "2") break;
        this.#isDim = parameter === "2";
        return;
      case "h?25":
      case "l?25":
        this.isCursorVisible = command === "h";
        return;
    }
    throw new Error(`Cannot show the text: control sequence is ${parameter}${command}`);
  }

  #put(character: string): void {
    if (character === "\n") return this.#feed();
    if (character === "\r") return this.#move(this.#row, 0);
    if (/^\p{C}/u.test(character)) throw new Error(`Cannot show ${JSON.stringify(character)}`);
    if (/^\p{M}/u.test(character)) return;
    const width = /^[一-龥😀-😏]/u.test(character) ? 2 : 1;
    if (this.#wraps || this.#column + width > this.#columns) this.#feed();
    const line = this.#lines[this.#row]!;
    while (line.length < this.#column) line.push(BLANK);
    line[this.#column] = { character, isDim: this.#isDim };
    if (width === 2) line[this.#column + 1] = { character: "", isDim: this.#isDim };
    const next = this.#column + width;
    this.#wraps = next === this.#columns;
    this.#column = Math.min(next, this.#columns - 1);
  }

  #feed(): void {
    this.#move(this.#row + 1, 0);
    while (this.#lines.length <= this.#row) this.#lines.push([]);
    this.#top = Math.max(this.#top, this.#row - this.#rows + 1);
  }

  #move(row: number, column: number): void {
    this.#row = row;
    this.#column = column;
    this.#wraps = false;
  }
}

/** A file or pipe in place of a terminal. */
export class Pipe implements TerminalOutput {
  readonly isTerminal = false;
  readonly hasColors = false;
  written = "";

  size(): { columns: number; rows: number } {
    return { columns: 80, rows: 24 };
  }

  write(text: string): void {
    this.written += text;
  }
}
