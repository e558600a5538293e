import { assert, assertEquals } from "@std/assert";
import { kernelTimes, profileTable } from "../../src/commands/profile_table.ts";
import type { ProfileTimes } from "../../src/commands/trace_file.ts";
import type { DispatchTime } from "../../src/gpu/mod.ts";

function dispatch(kernel: string, [beginMs, endMs]: [number, number]): DispatchTime {
  return { kernel, workgroups: [1], beginNs: 1e6 * beginMs, endNs: 1e6 * endMs };
}

/** A burst of 4 passes and one of 3, in 50 ms. */
const TIMES: ProfileTimes = {
  spans: [
    { name: "submit", burst: 0, passes: 4, beginMs: 100, endMs: 101 },
    { name: "read", burst: 0, passes: 4, beginMs: 101, endMs: 125 },
    { name: "submit", burst: 1, passes: 3, beginMs: 125, endMs: 126 },
    { name: "read", burst: 1, passes: 3, beginMs: 126, endMs: 150 },
  ],
  bursts: [
    [dispatch("embed", [0, 0.5]), dispatch("linear", [1, 16])],
    [dispatch("embed", [25, 26]), dispatch("linear", [26, 45]), dispatch("linear", [45, 49.5])],
  ],
};

Deno.test("kernelTimes() sums up by kernel, the longest first", () => {
  assertEquals(kernelTimes(TIMES.bursts.flat()), [
    { kernel: "linear", calls: 3, totalMs: 38.5 },
    { kernel: "embed", calls: 2, totalMs: 1.5 },
  ]);
});

Deno.test("profileTable() says how much of the time is whose", () => {
  assertEquals(
    profileTable(TIMES, { wallMs: 50, tokens: 6, passes: 7 }),
    `\
kernel                calls  total ms    share  mean µs
linear                    3     38.50   96.3 %  12833.3
embed                     2      1.50    3.8 %    750.0
all kernels               5     40.00  100.0 %   8000.0
wall time                       50.00
kernels of wall time                    80.0 %
passes                    7
tokens                    6
tokens/s              120.0
`,
  );
});

Deno.test("profileTable() counts the passes that the end came too late for", () => {
  const lines = profileTable(TIMES, { wallMs: 50, tokens: 6, passes: 5 }).split("\n");
  assertEquals(lines.filter((line) => /pass|end/.test(line)), [
    "passes                    7",
    "  after the end           2",
  ]);
});

for (const [rate, hasDoubts] of [[1, false], [0.6, false], [0.1, true], [1.2, true]] as const) {
  Deno.test(`profileTable() ${hasDoubts ? "doubts" : "believes"} a clock that runs at ${rate}`, () => {
    const bursts = TIMES.bursts.map((dispatches) =>
      dispatches.map((each) => ({
        ...each,
        beginNs: rate * each.beginNs,
        endNs: rate * each.endNs,
      }))
    );
    const table = profileTable({ ...TIMES, bursts }, { wallMs: 50, tokens: 6, passes: 7 });
    const line = /^The device counts [\d.]+ ms where the host counts 50\.00 ms: its clock/m;
    assert(line.test(table) === hasDoubts, table);
  });
}
