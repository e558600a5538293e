/** One update of a training, as a line of its table. */
export interface ProgressRow {
  readonly update: number;
  readonly blockSize: number;
  readonly loss: number;
  readonly gradientNorm: number;
  readonly rate: number;
  readonly tokensPerSecond: number;
  /** Of held-out text, nats per token; `null` where it was not measured. */
  readonly nelbo: number | null;
  readonly beta: number;
  readonly omega: number;
  /** Steps skipped so far. */
  readonly skipped: number;
}

const HEADER =
  "update,block_size,loss,gradient_norm,rate,tokens_per_second,nelbo,beta,omega,skipped";

/** A table of updates in a CSV file, which grows row by row. */
export class ProgressFile {
  readonly #path: string;
  readonly #rows: ProgressRow[];

  /** Opens the file, and drops rows of updates later than `updates`: they are made again. */
  constructor(path: string, updates: number) {
    this.#path = path;
    this.#rows = readRows(path).filter((row) => row.update <= updates);
    const lines = [HEADER, ...this.#rows.map(lineOf)];
    Deno.writeTextFileSync(path, lines.join("\n") + "\n");
  }

  /** All rows so far. */
  get rows(): readonly ProgressRow[] {
    return this.#rows;
  }

  /** Adds a row. */
  append(row: ProgressRow): void {
    this.#rows.push(row);
    Deno.writeTextFileSync(this.#path, lineOf(row) + "\n", { append: true });
  }
}

function readRows(path: string): ProgressRow[] {
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
  return text.split("\n").slice(1).flatMap((line) => {
    const words = line.split(",");
    // The last line of a process that was killed may be cut.
    if (words.length < HEADER.split(",").length || words.at(-1) === "") return [];
    const [update, blockSize, loss, gradientNorm, rate, tokensPerSecond, , beta, omega, skipped] =
      words.map(Number) as [
        number,
        number,
        number,
        number,
        number,
        number,
        number,
        number,
        number,
        number,
      ];
    const nelbo = words[6] === "" ? null : Number(words[6]);
    return [{
      ...{ update, blockSize, loss, gradientNorm, rate, tokensPerSecond, nelbo },
      ...{ beta, omega, skipped },
    }];
  });
}

function lineOf(row: ProgressRow): string {
  return [
    row.update,
    row.blockSize,
    row.loss,
    row.gradientNorm,
    row.rate,
    Math.round(row.tokensPerSecond),
    row.nelbo ?? "",
    row.beta,
    row.omega,
    row.skipped,
  ].join(",");
}
