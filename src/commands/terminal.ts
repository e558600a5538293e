/** Where text for people goes: a terminal, or a file or pipe in its place. */
export interface TerminalOutput {
  /** Escape sequences are for terminals only. */
  readonly isTerminal: boolean;
  /** Colours and weights of text; off where `NO_COLOR` is set. */
  readonly hasColors: boolean;
  /** Width and height now, in cells; of no meaning where it is no terminal. */
  size(): { readonly columns: number; readonly rows: number };
  write(text: string): void;
}

/** Output that nobody reads. */
export const NOWHERE: TerminalOutput = {
  isTerminal: false,
  hasColors: false,
  size: () => ({ columns: 80, rows: 24 }),
  write: () => {},
};

/** What begins every control sequence. */
export const ESCAPE = "\x1b[";
/** Plain letters in the terminal's own colours. */
export const PLAIN_STYLE = `${ESCAPE}0m`;
const DIM = `${ESCAPE}2m`;

/** Wraps stdout or stderr of this process. */
export function processOutput(stream: typeof Deno.stdout | typeof Deno.stderr): TerminalOutput {
  const isTerminal = stream.isTerminal();
  return {
    isTerminal,
    hasColors: isTerminal && !Deno.noColor,
    size() {
      // Some terminals without a window, as in build services, say 0.
      const { columns, rows } = isTerminal ? Deno.consoleSize() : { columns: 0, rows: 0 };
      return { columns: columns || 80, rows: rows || 24 };
    },
    write(text) {
      const bytes = new TextEncoder().encode(text);
      for (let at = 0; at < bytes.length;) at += stream.writeSync(bytes.subarray(at));
    },
  };
}

/** `text` in faint letters where `output` has colours. */
export function dim(output: TerminalOutput, text: string): string {
  return output.hasColors ? DIM + text + PLAIN_STYLE : text;
}

/**
 * Makes control characters visible, so that text nobody vouches for cannot steer the terminal.
 * Line feeds stay; a tab becomes spaces, since its width depends on where it stands.
 */
export function printable(text: string): string {
  // The rule is about control characters: this is where they are looked for.
  // deno-lint-ignore no-control-regex
  return text.replace(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/g, (control) => {
    const code = control.charCodeAt(0);
    if (control === "\t") return "    ";
    return code < 0x20 ? String.fromCharCode(0x2400 + code) : code === 0x7f ? "\u2421" : "\ufffd";
  });
}

/**
 * Cells that a character takes.
 *
 * Source: Unicode Standard Annex 11, wide and fullwidth; blocks, not single unassigned characters.
 */
export function cellWidth(character: string): 0 | 1 | 2 {
  if (/^[\p{Mn}\p{Me}\p{Cf}\u1160-\u11ff]/u.test(character)) return 0;
  const isWide =
    /^[\p{Emoji_Presentation}\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{17000}-\u{18cff}\u{1b000}-\u{1b2ff}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]/u
      .test(character);
  return isWide ? 2 : 1;
}

/**
 * Where the cursor is after `text`, from `from` cells into a line: rows further down, and the cells
 * left of it. After the last cell of a line it stays there until another character comes.
 */
export function advance(
  text: string,
  from: number,
  columns: number,
): { readonly row: number; readonly column: number } {
  let row = 0;
  let column = from;
  for (const character of text) {
    const width = cellWidth(character);
    if (character === "\n") {
      row += 1;
      column = 0;
    } else if (column + width > columns) {
      row += 1;
      column = width;
    } else {
      column += width;
    }
  }
  return { row, column };
}

const BAR_WIDTH = 24;

/** A line on a terminal that tells how far something long is; nothing for files and pipes. */
export class ProgressBar implements Disposable {
  readonly #output: TerminalOutput;
  readonly #label: string;
  #line = "";

  constructor(output: TerminalOutput, label: string) {
    this.#output = output;
    this.#label = label;
  }

  /** Draws the bar anew where it changes: `done` of `total`, in any unit, of what `label` says. */
  update(done: number, total: number, label: string = this.#label): void {
    if (!this.#output.isTerminal) return;
    const share = total > 0 ? Math.min(Math.max(done / total, 0), 1) : 0;
    const full = Math.floor(share * BAR_WIDTH);
    const bar = "█".repeat(full) + dim(this.#output, "░".repeat(BAR_WIDTH - full));
    const percent = `${Math.floor(share * 100)} %`.padStart(5);
    // Never into the last cell, from where some terminals go on to the next line.
    const room = this.#output.size().columns - 1 - percent.length - label.length;
    const line = label + (room >= BAR_WIDTH + 2 ? `  ${bar}` : "") + percent;
    if (room < 0 || line === this.#line) return;
    this.#line = line;
    this.#output.write(`\r${line}${ESCAPE}K`);
  }

  /** Removes the bar. */
  [Symbol.dispose](): void {
    if (this.#line !== "") this.#output.write(`\r${ESCAPE}K`);
    this.#line = "";
  }
}
