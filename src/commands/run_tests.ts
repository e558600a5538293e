import { join } from "@std/path";
import { runChild } from "./child.ts";
import { type Invocation, ROOT } from "./permissions.ts";
import { summaryLine, TestSummary } from "./test_summary.ts";

/** Processes that share all tests: most tests wait for something, few keep two cores busy. */
const PROCESSES = 2;

/**
 * Runs the tests that the arguments say, or all of them. Types are not checked then: `deno task ok`
 * and `.ci/run` do it in one go.
 *
 * @returns Exit status.
 */
export async function runTests({ args, environment }: Invocation): Promise<number> {
  const parts = args.length > 0
    ? [args]
    : deal(testFiles(), PROCESSES).map((files) => ["--no-check", ...files]);
  const outputs = inTurn(parts.length, writeFully);
  const runs = await Promise.all(parts.map(async (part, i) => {
    const summary = new TestSummary();
    const status = await runChild({
      args: ["test", "--allow-all", "--frozen", ...part],
      environment,
      stdin: "inherit",
      onStdout: (chunk) => {
        summary.read(chunk);
        outputs[i]!.write(chunk);
      },
    });
    outputs[i]!.end();
    return { status, counts: summary.counts(status) };
  }));
  console.log(summaryLine(runs.map(({ counts }) => counts)));
  return runs.find(({ status }) => status !== 0)?.status ?? 0;
}

/** All test files, in the order of their paths. */
function testFiles(): string[] {
  const found: string[] = [];
  const visit = (directory: string) => {
    for (const { name, isDirectory } of Deno.readDirSync(directory)) {
      if (isDirectory && name !== "fixtures") visit(join(directory, name));
      else if (name.endsWith("_test.ts")) found.push(join(directory, name));
    }
  };
  visit(join(ROOT, "test"));
  return found.sort();
}

/** Deals cards: neighbours, which take about as long, go to different hands. */
export function deal(cards: readonly string[], hands: number): string[][] {
  return Array.from(
    { length: hands },
    (_, hand) => cards.filter((_, i) => i % hands === hand),
  );
}

/** One of several outputs that share a place. */
export interface Output {
  write(chunk: Uint8Array): void;
  end(): void;
}

/** Outputs that are written one after the other: what comes before its turn is kept. */
export function inTurn(count: number, write: (chunk: Uint8Array) => void): Output[] {
  const kept = Array.from({ length: count }, (): Uint8Array[] => []);
  const hasEnded = Array<boolean>(count).fill(false);
  let turn = 0;
  const goOn = () => {
    for (; turn < count; turn++) {
      kept[turn]!.splice(0).forEach(write);
      if (!hasEnded[turn]) return;
    }
  };
  return kept.map((own, i) => ({
    write: (chunk) => {
      own.push(chunk);
      goOn();
    },
    end: () => {
      hasEnded[i] = true;
      goOn();
    },
  }));
}

function writeFully(chunk: Uint8Array): void {
  for (let at = 0; at < chunk.length;) at += Deno.stdout.writeSync(chunk.subarray(at));
}
