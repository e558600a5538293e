import { assertEquals, assertStringIncludes } from "@std/assert";
import { lossCurve } from "../../src/training/loss_curve.ts";
import { ProgressFile, type ProgressRow } from "../../src/training/progress_file.ts";
import { withTempDir } from "../support/temp_dir.ts";

function row(update: number, nelbo: number | null = null): ProgressRow {
  return {
    ...{ update, blockSize: 8, loss: 4 / update, gradientNorm: 0.5, rate: 1e-3, nelbo },
    ...{ tokensPerSecond: 100, beta: 0.001, omega: 1, skipped: 0 },
  };
}

Deno.test("ProgressFile keeps rows up to an update when it is opened again", () => {
  withTempDir((directory) => {
    const path = `${directory}/progress.csv`;
    const first = new ProgressFile(path, 0);
    for (const update of [1, 2, 3]) first.append(row(update, update === 2 ? 3.5 : null));
    const text = Deno.readTextFileSync(path);
    assertStringIncludes(text, "update,block_size,loss,");
    assertStringIncludes(text, "\n2,8,2,0.5,0.001,100,3.5,0.001,1,0\n");
    // The process was killed while it wrote.
    Deno.writeTextFileSync(path, text + "4,8,1,0.5,0.0");
    const again = new ProgressFile(path, 2);
    assertEquals(again.rows, [row(1), row(2, 3.5)]);
    again.append(row(3));
    assertEquals(Deno.readTextFileSync(path), text);
  });
});

Deno.test("lossCurve() draws both curves, however many rows there are", () => {
  const rows = Array.from({ length: 5000 }, (_, i) => row(i + 1, i % 1000 === 999 ? 3 : null));
  const svg = lossCurve(rows);
  assertStringIncludes(svg, '<svg xmlns="http://www.w3.org/2000/svg"');
  assertEquals(svg.match(/<circle/g)?.length, 5);
  const [points] = [...svg.matchAll(/points="([^"]*)"/g)].map(([, each]) => each!.split(" "));
  assertEquals(points!.length <= 400, true);
  assertEquals(svg.includes("NaN"), false);
});

Deno.test("lossCurve() of nothing is an empty frame", () => {
  assertEquals(lossCurve([]).includes("NaN"), false);
});
