import { z } from "zod";

const Place = { pid: z.int(), tid: z.int() };
const Microseconds = z.number().nonnegative();

/**
 * What chrome://tracing and Perfetto need of the events that we write.
 *
 * Source: Trace Event Format, "JSON Object Format", "Complete Events", "Metadata Events".
 */
export const TraceFile = z.strictObject({
  traceEvents: z.array(z.discriminatedUnion("ph", [
    z.strictObject({
      ph: z.literal("X"),
      name: z.string().min(1),
      cat: z.string().min(1),
      ts: Microseconds,
      dur: Microseconds,
      ...Place,
      args: z.record(z.string(), z.json()),
    }),
    z.strictObject({
      ph: z.literal("M"),
      name: z.enum(["process_name", "thread_name"]),
      ...Place,
      args: z.strictObject({ name: z.string().min(1) }),
    }),
  ])),
  displayTimeUnit: z.enum(["ms", "ns"]),
});
