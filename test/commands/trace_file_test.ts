import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../src/commands/flags.ts";
import type { HostSpan } from "../../src/commands/timed_denoiser.ts";
import { type ProfileTimes, readTraceFile, traceFile } from "../../src/commands/trace_file.ts";
import type { DispatchTime } from "../../src/gpu/mod.ts";
import { TraceFile } from "../support/trace_schema.ts";

function span(name: HostSpan["name"], burst: number, [beginMs, endMs]: [number, number]): HostSpan {
  return { name, burst, passes: 2, beginMs, endMs };
}

function dispatch(kernel: string, [beginNs, endNs]: [number, number]): DispatchTime {
  return { kernel, workgroups: [3, 2], beginNs, endNs };
}

/** Two bursts. The device's clock is 1,005.5 ms behind that of the host. */
const TIMES: ProfileTimes = {
  spans: [
    span("record", 0, [1000, 1004]),
    span("submit", 0, [1004, 1005]),
    span("record", 1, [1005, 1007]),
    span("read", 0, [1007, 1020]),
    span("submit", 1, [1020, 1021]),
    span("read", 1, [1021, 1030]),
  ],
  bursts: [
    [dispatch("linear", [0, 2_500_000]), dispatch("reveal", [2_500_250, 2_501_000])],
    // Begins the moment that it is submitted, which no burst before does.
    [dispatch("linear", [14_500_000, 16_000_000])],
  ],
};

Deno.test("traceFile() has what the format asks for, and one event per dispatch and span", () => {
  const file = traceFile(TIMES, { adapter: "Toy GPU" });
  const { traceEvents } = TraceFile.parse(JSON.parse(JSON.stringify(file)));
  assertEquals(traceEvents.length, 3 + 6 + 3);
  assertEquals(traceEvents.filter(({ ph }) => ph === "M").map(({ name, args }) => [name, args]), [
    ["process_name", { name: "blockdiffusion" }],
    ["thread_name", { name: "host" }],
    ["thread_name", { name: "Toy GPU" }],
  ]);
});

Deno.test("traceFile() puts host and device on one time line, in microseconds", () => {
  const events = traceFile(TIMES, { adapter: "Toy GPU" }).traceEvents
    .filter((event) => event.ph === "X");
  const shown = (category: string) =>
    events.filter(({ cat }) => cat === category).map(({ name, ts, dur }) => [name, ts, dur]);
  assertEquals(shown("host"), [
    ["record", 0, 4000],
    ["submit", 4000, 1000],
    ["record", 5000, 2000],
    ["read", 7000, 13_000],
    ["submit", 20_000, 1000],
    ["read", 21_000, 9000],
  ]);
  assertEquals(shown("kernel"), [
    ["linear", 5500, 2500],
    ["reveal", 8000.25, 0.75],
    ["linear", 20_000, 1500],
  ]);
  const [host, kernel] = [events[0]!, events.at(-1)!];
  assertEquals(host.args, { burst: 0, passes: 2 });
  assertEquals(kernel.args, { workgroups: [3, 2], burst: 1 });
  assertEquals([host.pid === kernel.pid, host.tid === kernel.tid], [true, false]);
});

Deno.test("readTraceFile() finds the file among the arguments of generate", () => {
  const args = ["Once upon", "--top-p", "0.8", "--trace-file", "a b.json", "--seed=1"];
  assertEquals(readTraceFile(args), "a b.json");
  assertEquals(readTraceFile(["--trace-file=c=d.json"]), "c=d.json");
  assertEquals(readTraceFile(["--trace", "--", "--trace-file", "prompt"]), null);
  for (const wrong of [["--trace-file"], ["--trace-file", "a", "--trace-file=b"]]) {
    assertThrows(() => readTraceFile(wrong), UsageError, "--trace-file");
  }
});
