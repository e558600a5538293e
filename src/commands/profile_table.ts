import type { DispatchTime } from "../gpu/mod.ts";
import { layOut } from "./table.ts";
import type { ProfileTimes } from "./trace_file.ts";

/** What the dispatches of one kernel came to. */
export interface KernelTime {
  readonly kernel: string;
  readonly calls: number;
  readonly totalMs: number;
}

/** What a generation came to beside its kernels. */
export interface ProfileSummary {
  /** From the request to the last read. */
  readonly wallMs: number;
  /** Tokens that count. */
  readonly tokens: number;
  /** Passes of the sequence. */
  readonly passes: number;
}

/** What the device may count where the host counts 1: it starts later and is read later. */
const CLOCK_RATIOS = [0.5, 1.05] as const;

/** Sums dispatches up by kernel, the longest first. */
export function kernelTimes(dispatches: readonly DispatchTime[]): KernelTime[] {
  const byKernel = Map.groupBy(dispatches, ({ kernel }) => kernel);
  return [...byKernel].map(([kernel, own]) => ({
    kernel,
    calls: own.length,
    totalMs: own.reduce((sum, { beginNs, endNs }) => sum + endNs - beginNs, 0) / 1e6,
  })).toSorted((a, b) => b.totalMs - a.totalMs);
}

/** The table that `profile` prints. */
export function profileTable(times: ProfileTimes, summary: ProfileSummary): string {
  const { wallMs, tokens, passes } = summary;
  const kernels = kernelTimes(times.bursts.flat());
  const calls = kernels.reduce((sum, each) => sum + each.calls, 0);
  const totalMs = kernels.reduce((sum, each) => sum + each.totalMs, 0);
  const row = ({ kernel, calls, totalMs: ms }: KernelTime) => [
    kernel,
    String(calls),
    ms.toFixed(2),
    percent(ms, totalMs),
    (1000 * ms / calls).toFixed(1),
  ];
  const submitted = submittedPasses(times);
  const after = submitted - passes;
  const lines = [
    ["kernel", "calls", "total ms", "share", "mean µs"],
    ...kernels.map(row),
    row({ kernel: "all kernels", calls, totalMs }),
    ["wall time", "", wallMs.toFixed(2), "", ""],
    ["kernels of wall time", "", "", percent(totalMs, wallMs), ""],
    ["passes", String(submitted), "", "", ""],
    ...(after > 0 ? [["  after the end", String(after), "", "", ""]] : []),
    ["tokens", String(tokens), "", "", ""],
    ["tokens/s", (1000 * tokens / wallMs).toFixed(1), "", "", ""],
  ];
  return layOut(lines) + doubtsAbout(times);
}

function submittedPasses({ spans }: ProfileTimes): number {
  return spans.reduce((sum, { name, passes }) => name === "submit" ? sum + passes : sum, 0);
}

function percent(part: number, whole: number): string {
  return `${(100 * part / whole).toFixed(1)} %`;
}

/** A warning where the device's clock does not keep up with the host's, else nothing. */
function doubtsAbout({ spans, bursts }: ProfileTimes): string {
  const dispatches = bursts.flat();
  const [first, last] = [dispatches[0], dispatches.at(-1)];
  const submit = spans.find(({ name }) => name === "submit");
  if (!first || !last || !submit) return "";
  const deviceMs = (last.endNs - first.beginNs) / 1e6;
  const hostMs = Math.max(...spans.map(({ endMs }) => endMs)) - submit.beginMs;
  const ratio = deviceMs / hostMs;
  const [least, most] = CLOCK_RATIOS;
  if (ratio >= least && ratio <= most) return "";
  return `The device counts ${deviceMs.toFixed(2)} ms where the host counts ${
    hostMs.toFixed(2)
  } ms: its clock may not run in nanoseconds\n`;
}
