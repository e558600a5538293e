import type { DispatchTime } from "../gpu/mod.ts";
import { argumentsOf, optional, readSettings, text } from "./flags.ts";
import type { HostSpan } from "./timed_denoiser.ts";

/** The flag that names the file. */
export const TRACE_SETTINGS = {
  traceFile: optional(
    { ...text, placeholder: "FILE" },
    "write every dispatch there, for chrome://tracing and Perfetto",
  ),
};

/** The times of one generation. */
export interface ProfileTimes {
  /** What the host did, in milliseconds of its clock. */
  readonly spans: readonly HostSpan[];
  /** What the device did, by burst, in nanoseconds of its own clock. */
  readonly bursts: readonly (readonly DispatchTime[])[];
}

/** One entry of a trace file; times in microseconds. */
type TraceEvent =
  | {
    readonly ph: "X";
    readonly name: string;
    readonly cat: "kernel" | "host";
    readonly ts: number;
    readonly dur: number;
    readonly pid: number;
    readonly tid: number;
    readonly args: Readonly<Record<string, unknown>>;
  }
  | {
    readonly ph: "M";
    readonly name: "process_name" | "thread_name";
    readonly pid: number;
    readonly tid: number;
    readonly args: { readonly name: string };
  };

/** A file that chrome://tracing and Perfetto open. */
export interface TraceFile {
  readonly traceEvents: readonly TraceEvent[];
  readonly displayTimeUnit: "ms";
}

const PROCESS = 1;
const HOST = 1;
const DEVICE = 2;

/**
 * The file that `--trace-file` names among the arguments of a command.
 *
 * @throws {UsageError} If it is given twice or without a value.
 */
export function readTraceFile(args: readonly string[]): string | null {
  return readSettings(TRACE_SETTINGS, argumentsOf("--trace-file", args), {}).values.traceFile;
}

/**
 * Lays the spans of host and device on one time line, which begins with the first span.
 *
 * The clocks have nothing in common. The device's is moved so that every burst begins after its
 * submission did, and one of them at that very moment: kernels may in truth be somewhat later.
 *
 * Source: Trace Event Format, "Complete Events" and "Metadata Events".
 */
export function traceFile(
  { spans, bursts }: ProfileTimes,
  { adapter }: { readonly adapter: string },
): TraceFile {
  const startMs = Math.min(...spans.map(({ beginMs }) => beginMs));
  const shiftUs = deviceShiftUs({ spans, bursts });
  const traceEvents: TraceEvent[] = [
    { ph: "M", name: "process_name", pid: PROCESS, tid: HOST, args: { name: "blockdiffusion" } },
    { ph: "M", name: "thread_name", pid: PROCESS, tid: HOST, args: { name: "host" } },
    { ph: "M", name: "thread_name", pid: PROCESS, tid: DEVICE, args: { name: adapter } },
    ...spans.map(({ name, burst, passes, beginMs, endMs }) => ({
      ph: "X" as const,
      name,
      cat: "host" as const,
      ts: 1000 * (beginMs - startMs),
      dur: 1000 * (endMs - beginMs),
      pid: PROCESS,
      tid: HOST,
      args: { burst, passes },
    })),
    ...bursts.flatMap((dispatches, burst) =>
      dispatches.map(({ kernel, workgroups, beginNs, endNs }) => ({
        ph: "X" as const,
        name: kernel,
        cat: "kernel" as const,
        ts: beginNs / 1000 + shiftUs - 1000 * startMs,
        dur: (endNs - beginNs) / 1000,
        pid: PROCESS,
        tid: DEVICE,
        args: { workgroups, burst },
      }))
    ),
  ];
  return { traceEvents, displayTimeUnit: "ms" };
}

/** What turns microseconds of the device into those of the host. */
function deviceShiftUs({ spans, bursts }: ProfileTimes): number {
  const shifts = spans.flatMap(({ name, burst, beginMs }) => {
    const first = bursts[burst]?.[0];
    return name === "submit" && first ? [1000 * beginMs - first.beginNs / 1000] : [];
  });
  return Math.max(...shifts);
}
