import { fromFileUrl } from "@std/path";
import { GpuError } from "../gpu/errors.ts";
import type { Adapter } from "./adapter.ts";
import { hasNvidia, NVIDIA_CONTAINER, NVIDIA_VULKAN } from "./nvidia.ts";
import {
  canInstall,
  installCommand,
  installPackages,
  type Packages,
  type System,
  thisSystem,
} from "./system_packages.ts";

/** Mesa's software Vulkan, and the loader. */
const VULKAN: Packages = {
  debian: ["mesa-vulkan-drivers", "libvulkan1"],
  fedora: ["mesa-vulkan-drivers", "vulkan-loader"],
  arch: ["vulkan-swrast", "vulkan-icd-loader"],
  other: "the installer of your GPU's driver, or install Mesa's software Vulkan (lavapipe)",
};

/** What setting up an adapter needs of the machine. */
export interface Machine extends System {
  /** Asks for an adapter in a fresh process. */
  readonly probe: () => Promise<Adapter | null>;
  /** Whether there is a GPU of NVIDIA, which may lack what its Vulkan driver links. */
  readonly hasNvidia: boolean;
}

/**
 * Finds a WebGPU adapter, and installs what is missing where there is none, on Debian and its
 * descendants, as root: what NVIDIA's driver needs where there is a GPU of theirs, and Mesa's
 * software Vulkan where there is not, or it did not help.
 *
 * @throws {GpuError} If there is none in the end; says which command helps.
 */
export async function ensureAdapter(machine: Machine): Promise<Adapter> {
  const found = await machine.probe();
  if (found) return found;
  if (!canInstall(machine)) throw missing(`Run: ${remedy(machine)}`);
  const installed = (machine.hasNvidia ? await install(machine, NVIDIA_VULKAN) : null) ??
    await install(machine, VULKAN);
  if (installed) return installed;
  const advice = `${namesOf(VULKAN)} are installed and did not help`;
  throw missing(machine.hasNvidia ? `${advice}. ${NVIDIA_CONTAINER}` : advice);
}

async function install(machine: Machine, packages: Packages): Promise<Adapter | null> {
  machine.say(`No WebGPU adapter found: installing ${namesOf(packages)} with apt-get`);
  const problem = await installPackages(machine, packages);
  if (problem !== null) throw missing(problem);
  return await machine.probe();
}

function namesOf({ debian }: Packages): string {
  return `${debian.slice(0, -1).join(", ")} and ${debian.at(-1)}`;
}

/** The machine this process runs on. */
export function thisMachine(environment: Readonly<Record<string, string>>): Machine {
  return {
    ...thisSystem(environment),
    probe: () => probe(environment),
    hasNvidia: hasNvidia(),
  };
}

/** What brings an adapter to a machine without one: a command, and what else it may take. */
export function remedy(machine: Pick<Machine, "osRelease" | "isRoot" | "hasNvidia">): string {
  if (!machine.hasNvidia) return installCommand(VULKAN, machine);
  return `${installCommand(NVIDIA_VULKAN, machine)}. ${NVIDIA_CONTAINER}`;
}

function missing(advice: string): GpuError {
  return new GpuError(
    `Cannot find a GPU: this machine has no WebGPU adapter, expected a Vulkan driver. ${advice}`,
  );
}

async function probe(environment: Readonly<Record<string, string>>): Promise<Adapter | null> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", fromFileUrl(new URL("adapter_probe.ts", import.meta.url))],
    env: environment,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const decoder = new TextDecoder();
  if (!success) throw new GpuError(`Cannot look for a GPU: ${decoder.decode(stderr).trim()}`);
  return JSON.parse(decoder.decode(stdout));
}
