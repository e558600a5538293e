/**
 * Behind the tasks of `deno.json` but `ok`: finds or sets up a WebGPU adapter, then starts the command
 * in a process of its own that may do only what it must.
 */
import { join } from "@std/path";
import { GpuError } from "../gpu/errors.ts";
import type { Adapter } from "./adapter.ts";
import { ensureAdapter, thisMachine } from "./adapter_setup.ts";
import { ensureBrowser, thisBrowserMachine } from "./browser_setup.ts";
import { runChild } from "./child.ts";
import { type Command, COMMANDS } from "./commands.ts";
import { compile, thisCompiler } from "./compile.ts";
import { ensureDeployTools, thisDeployMachine } from "./deploy_tools_setup.ts";
import { findDeviceMemory } from "./device_memory.ts";
import { asksForHelp, UsageError } from "./flags.ts";
import { locateModels } from "./locate_models.ts";
import { LEASH_VARIABLE } from "./leash.ts";
import { hasNvidia, NVIDIA_VARIABLE } from "./nvidia.ts";
import { type Invocation, permissionsOf, ROOT } from "./permissions.ts";
import { RUNTIME_ENVIRONMENT } from "./runtime_environment.ts";
import { runTests } from "./run_tests.ts";
import { shareCores } from "./share_cores.ts";

const TASKS = [...Object.keys(COMMANDS), "compile", "test", "bench", "soak", "paper"];
const USAGE = `Usage: deno task ${TASKS.join("|")} [ARGUMENTS]`;
// Every dependency is in the lock file, and a question nobody answers would hang.
const DENO_RUN = ["run", "--no-prompt", "--frozen"];

/** Runs the task that `name` says and gives the exit status. */
async function launch(name: string, invocation: Invocation): Promise<number> {
  switch (name) {
    case "serve":
    case "generate":
    case "chat":
    case "profile":
      return await runCommand(name, invocation, (same) => withCores(name, same));
    case "evaluate":
    case "train":
      return await runCommand(name, invocation, withAdapter);
    case "doctor":
      return await runCommand(name, invocation, withAdapterIfAny);
    case "check":
    case "pull":
    case "quantize":
    case "tokenizer":
      return await runCommand(name, invocation, (same) => Promise.resolve(same));
    case "compile":
      return await compileServer(invocation);
    case "test":
      return await testAll(await withAdapter(invocation));
    case "bench":
      return await runScript("test/bench/mod.ts", await withAdapter(invocation));
    case "paper": {
      // Drawing needs no device.
      const isDrawing = invocation.args.includes("draw");
      const prepared = isDrawing ? invocation : await withAdapter(invocation);
      return await runScript("test/paper/mod.ts", prepared);
    }
    case "soak": {
      // The test model needs no device.
      const needsDevice = invocation.args.some((each) => /^--model(=|$)/.test(each));
      const prepared = needsDevice ? await withAdapter(invocation) : invocation;
      return await runScript("test/soak/mod.ts", prepared);
    }
    default:
      throw new UsageError(`Cannot start ${JSON.stringify(name)}. ${USAGE}`);
  }
}

async function runCommand(
  name: Command,
  invocation: Invocation,
  complete: (invocation: Invocation) => Promise<Invocation>,
): Promise<number> {
  const isHelp = asksForHelp(invocation.args);
  const located = isHelp ? invocation : locateModels(name, invocation);
  // Before anything is installed: a mistyped flag must not cost minutes.
  const permissions = isHelp ? [] : permissionsOf(name, located);
  const { args, environment } = isHelp ? invocation : await complete(located);
  // What runs for long must not outlive a launcher that is killed.
  const isLeashed = name === "serve" || name === "train";
  return await runChild({
    args: [...DENO_RUN, ...permissions, join(ROOT, "main.ts"), name, ...args],
    environment: isLeashed ? { ...environment, [LEASH_VARIABLE]: "1" } : environment,
    stdin: isLeashed ? "leash" : "inherit",
  });
}

async function compileServer(invocation: Invocation): Promise<number> {
  // What is compiled is started once.
  const prepared = asksForHelp(invocation.args) ? invocation : await withAdapter(invocation);
  return await compile(prepared.args, thisCompiler(prepared.environment));
}

async function testAll(invocation: Invocation): Promise<number> {
  await ensureBrowser(thisBrowserMachine(invocation.environment));
  await ensureDeployTools(thisDeployMachine(invocation.environment));
  return await runTests(invocation);
}

async function runScript(file: string, { args, environment }: Invocation): Promise<number> {
  return await runChild({
    args: [...DENO_RUN, "--allow-all", join(ROOT, file), ...args],
    environment,
    stdin: "inherit",
  });
}

/** Adds what the child cannot find out by itself: the drivers to use and the device's memory. */
async function withAdapter(invocation: Invocation): Promise<Invocation> {
  const { environment } = await prepare(invocation);
  return { args: invocation.args, environment };
}

/** Adds, where Mesa's software driver is the device, how the cores are to be used. */
async function withCores(
  name: Parameters<typeof shareCores>[0],
  invocation: Invocation,
): Promise<Invocation> {
  const { args } = invocation;
  const { adapter, environment } = await prepare(invocation);
  if (!/llvmpipe|lavapipe/i.test(adapter.name)) return { args, environment };
  const { hardwareConcurrency } = navigator;
  return { args, environment: shareCores(name, { args, environment }, hardwareConcurrency) };
}

async function prepare({ environment }: Invocation) {
  const adapter = await ensureAdapter(thisMachine(environment));
  return { adapter, environment: await withMemory(environment, adapter) };
}

/** The doctor must come even where there is nothing left to do. */
async function withAdapterIfAny({ args, environment }: Invocation): Promise<Invocation> {
  const told = { ...environment, ...(hasNvidia() ? { [NVIDIA_VARIABLE]: "1" } : {}) };
  try {
    return await withAdapter({ args, environment: told });
  } catch (error) {
    if (!(error instanceof GpuError)) throw error;
    console.error(error.message);
    return { args, environment: told };
  }
}

async function withMemory(environment: Invocation["environment"], adapter: Adapter) {
  if (environment.BD_DEVICE_MEMORY) return environment;
  const bytes = await findDeviceMemory(adapter);
  return bytes === null ? environment : { ...environment, BD_DEVICE_MEMORY: String(bytes) };
}

if (import.meta.main) {
  const [name = "", ...args] = Deno.args;
  try {
    Deno.exit(
      await launch(name, { args, environment: { ...RUNTIME_ENVIRONMENT, ...Deno.env.toObject() } }),
    );
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof GpuError)) throw error;
    console.error(error.message);
    Deno.exit(error instanceof UsageError ? 2 : 1);
  }
}
