/**
 * Prints the adapter as JSON, or `null`. The launcher runs this file as a process of its own: the
 * Vulkan loader looks for drivers once per process, so one that found none never will.
 */
import { describeAdapter, findAdapter } from "./adapter.ts";

const adapter = await findAdapter();
console.log(JSON.stringify(adapter && describeAdapter(adapter.info)));
