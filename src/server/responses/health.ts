import { z } from "zod";
import { ErrorAnswer } from "./errors.ts";

/** The answer of `/health`. */
export const Health = z.object({ status: z.literal("ok").describe("That it serves HTTP.") })
  .describe("The process is alive.");

/** The answer of `/ready` of a server that takes new work. */
export const Ready = z.object({ status: z.literal("ready").describe("That it takes new work.") })
  .describe("New work is taken.");

/** The answer of `/ready` of a server that takes none. */
export const NotReady = z.object({
  status: z.enum(["loading", "draining", "device_lost", "failed"])
    .describe("Why no new work is taken; `loading` and `device_lost` pass by themselves."),
  ...ErrorAnswer.shape,
}).describe("No new work is taken now.");
