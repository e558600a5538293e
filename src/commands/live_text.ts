import { advance, dim, ESCAPE, PLAIN_STYLE, printable, type TerminalOutput } from "./terminal.ts";

/** A run of text in one style. */
export interface Span {
  readonly text: string;
  readonly isDim?: boolean;
}

const ERASE_BELOW = `${ESCAPE}J`;
const HIDE_CURSOR = `${ESCAPE}?25l`;
const SHOW_CURSOR = `${ESCAPE}?25h`;

/**
 * Text that only grows, and after it, on a terminal, a preview that is drawn anew in place.
 *
 * While a preview stands the cursor waits, hidden, where the preview begins: whatever the terminal
 * itself prints there, such as `^C`, is erased with it.
 */
export class LiveText {
  readonly #output: TerminalOutput;
  /** Cells left of the cursor after the text; the width itself when the next character wraps. */
  #column = 0;
  #hasPreview = false;
  /** Whether the terminal has gone on to the next line though the text has not. */
  #hasWrapped = false;
  /** Whether a file or pipe needs a line feed at the end. */
  #isLineOpen = false;

  constructor(output: TerminalOutput) {
    this.#output = output;
  }

  /** Adds text for good and removes the preview. */
  append(text: string): void {
    if (text === "") return this.#write(this.#erased());
    this.#isLineOpen = !text.endsWith("\n");
    if (!this.#output.isTerminal) return this.#output.write(text);
    // The line feed after a full line has been made already.
    const shown = printable(this.#hasWrapped && text.startsWith("\n") ? text.slice(1) : text);
    this.#hasWrapped = false;
    this.#write(this.#erased() + shown);
    this.#column = advance(shown, this.#column, this.#output.size().columns).column;
  }

  /** Shows a preview of what comes next, as much as fits on the screen. Not for pipes. */
  preview(spans: readonly Span[]): void {
    if (!this.#output.isTerminal) return;
    const { columns, rows } = this.#output.size();
    const start = this.#hasPreview
      ? this.#home() + ERASE_BELOW
      : HIDE_CURSOR + this.#settled(columns);
    const { text, rows: down } = this.#fit(spans, { columns, rows });
    this.#write(start + text + (down > 0 ? `${ESCAPE}${down}A` : "") + this.#home());
    this.#hasPreview = true;
  }

  /** Leaves the terminal as it should be: cursor shown, plain style, on a line of its own. */
  end(): void {
    if (!this.#output.isTerminal) {
      if (this.#isLineOpen) this.#write("\n");
    } else {
      // An empty line may have got a `^C` too.
      const clean = this.#erased() || (this.#column === 0 ? `\r${ERASE_BELOW}` : "");
      const style = this.#output.hasColors ? PLAIN_STYLE : "";
      this.#write(clean + style + (this.#column > 0 ? "\n" : ""));
    }
    this.#isLineOpen = false;
    this.#column = 0;
  }

  #write(text: string): void {
    if (text !== "") this.#output.write(text);
  }

  /** Removes the preview, whatever has been printed over it. */
  #erased(): string {
    if (!this.#hasPreview) return "";
    this.#hasPreview = false;
    return this.#home() + ERASE_BELOW + SHOW_CURSOR;
  }

  #home(): string {
    return `${ESCAPE}${this.#column + 1}G`;
  }

  /**
   * Moves on to the next line where the line is full: there the cursor still stands on the last
   * character, and erasing would take that along. The space makes the terminal wrap by itself.
   */
  #settled(columns: number): string {
    if (this.#column < columns) return "";
    this.#column = 0;
    this.#hasWrapped = true;
    return " \r";
  }

  /** The preview and the rows it takes below the first. */
  #fit(spans: readonly Span[], { columns, rows }: { columns: number; rows: number }) {
    let text = "";
    let at = { row: 0, column: this.#column };
    for (const span of spans) {
      let shown = "";
      for (const character of printable(span.text)) {
        const next = advance(character, at.column, columns);
        if (at.row + next.row > rows - 2) {
          return { text: text + this.#style(span, shown), rows: at.row };
        }
        shown += character;
        at = { row: at.row + next.row, column: next.column };
      }
      text += this.#style(span, shown);
    }
    return { text, rows: at.row };
  }

  #style({ isDim = false }: Span, text: string): string {
    return isDim && text !== "" ? dim(this.#output, text) : text;
  }
}
