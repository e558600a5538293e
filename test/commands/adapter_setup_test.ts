import { assertEquals, assertRejects } from "@std/assert";
import type { Adapter } from "../../src/commands/adapter.ts";
import { ensureAdapter, type Machine, remedy } from "../../src/commands/adapter_setup.ts";
import { GpuError } from "../../src/gpu/errors.ts";

const LLVMPIPE: Adapter = { name: "llvmpipe", vendor: "Mesa", isCpu: true };
const DEBIAN = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n';
const MINT = 'ID=linuxmint\nID_LIKE="ubuntu debian"\n';
const FEDORA = "ID=fedora\n";

/** A machine without an adapter, and all that was done to it. */
function bareMachine(change: Partial<Machine> & { failing?: string; helps?: boolean } = {}) {
  const { failing, helps = true, ...rest } = change;
  const commands: string[] = [];
  const said: string[] = [];
  const machine: Machine = {
    probe: () => Promise.resolve(helps && commands.some(isInstall) ? LLVMPIPE : null),
    run: (command) => {
      commands.push(command.join(" "));
      const success = !command.includes(failing ?? "");
      return Promise.resolve({ success, output: success ? "fine\n" : "E: no such luck\n" });
    },
    isRoot: true,
    osRelease: DEBIAN,
    mayInstall: true,
    hasNvidia: false,
    say: (line) => void said.push(line),
    ...rest,
  };
  return { machine, commands, said };
}

const APT_INSTALL = "apt-get -o DPkg::Lock::Timeout=120 install -y --no-install-recommends";
const H100: Adapter = { name: "NVIDIA H100", vendor: "NVIDIA", isCpu: false };

Deno.test("ensureAdapter() installs what NVIDIA's driver lacks where there is one, not Mesa", async () => {
  const { machine, commands, said } = bareMachine({
    hasNvidia: true,
    probe: () => Promise.resolve(commands.some(isInstall) ? H100 : null),
  });
  assertEquals(await ensureAdapter(machine), H100);
  const packages = "libvulkan1 libx11-6 libxext6 libegl1";
  assertEquals(commands, ["apt-get update", `${APT_INSTALL} ${packages}`]);
  assertEquals(said, [
    "No WebGPU adapter found: installing libvulkan1, libx11-6, libxext6 and libegl1 with apt-get",
  ]);
});

Deno.test("ensureAdapter() falls back to Mesa where NVIDIA's driver stays of no use", async () => {
  const { machine, commands } = bareMachine({
    hasNvidia: true,
    probe: () => Promise.resolve(commands.some(isMesa) ? LLVMPIPE : null),
  });
  assertEquals(await ensureAdapter(machine), LLVMPIPE);
  assertEquals(commands.filter(isInstall).map(isMesa), [false, true]);
  const useless = bareMachine({ hasNvidia: true, helps: false });
  await assertRejects(() => ensureAdapter(useless.machine), GpuError, "CAPABILITIES=compute");
});

function isMesa(command: string): boolean {
  return command.includes("mesa");
}

function isInstall(command: string): boolean {
  return command.includes(" install ");
}

Deno.test("ensureAdapter() touches nothing where there is an adapter", async () => {
  const { machine, commands, said } = bareMachine({ probe: () => Promise.resolve(LLVMPIPE) });
  assertEquals(await ensureAdapter(machine), LLVMPIPE);
  assertEquals([commands, said], [[], []]);
});

for (const [name, osRelease] of [["Debian", DEBIAN], ["a descendant of Ubuntu", MINT]] as const) {
  Deno.test(`ensureAdapter() installs Mesa on ${name} as root and says so once`, async () => {
    const { machine, commands, said } = bareMachine({ osRelease });
    assertEquals(await ensureAdapter(machine), LLVMPIPE);
    assertEquals(commands, [
      "apt-get update",
      "apt-get -o DPkg::Lock::Timeout=120 install -y --no-install-recommends " +
      "mesa-vulkan-drivers libvulkan1",
    ]);
    assertEquals(said, [
      "No WebGPU adapter found: installing mesa-vulkan-drivers and libvulkan1 with apt-get",
    ]);
  });
}

Deno.test("ensureAdapter() goes on when only the update fails", async () => {
  const { machine } = bareMachine({ failing: "update" });
  assertEquals(await ensureAdapter(machine), LLVMPIPE);
});

Deno.test("ensureAdapter() shows the output of a failed installation", async () => {
  const { machine } = bareMachine({ failing: "install" });
  await assertRejects(() => ensureAdapter(machine), GpuError, "E: no such luck");
});

Deno.test("ensureAdapter() says when the packages did not help", async () => {
  const { machine } = bareMachine({ helps: false });
  await assertRejects(() => ensureAdapter(machine), GpuError, "installed and did not help");
});

const SUDO_APT = "Run: sudo apt-get update && sudo apt-get install -y --no-install-recommends " +
  "mesa-vulkan-drivers libvulkan1";
const NVIDIA_APT = "Run: sudo apt-get update && sudo apt-get install -y --no-install-recommends " +
  "libvulkan1 libx11-6 libxext6 libegl1. In a container start it with " +
  "NVIDIA_DRIVER_CAPABILITIES=compute,utility,graphics, too";
for (
  const [name, change, command] of [
    ["without root", { isRoot: false }, SUDO_APT],
    ["where that is forbidden", { mayInstall: false }, "Run: apt-get update && apt-get install -y"],
    ["on another system", { osRelease: FEDORA }, "Run: dnf install -y mesa-vulkan-drivers"],
    ["beside a GPU of NVIDIA", { isRoot: false, hasNvidia: true }, NVIDIA_APT],
    ["on an unknown system", { osRelease: null }, "Mesa's software Vulkan"],
  ] as const
) {
  Deno.test(`ensureAdapter() installs nothing ${name} and says what to run`, async () => {
    const { machine, commands } = bareMachine(change);
    await assertRejects(() => ensureAdapter(machine), GpuError, command);
    assertEquals(commands, []);
  });
}

Deno.test("remedy() knows the package managers", () => {
  const machine = { isRoot: false, hasNvidia: false };
  assertEquals(
    remedy({ osRelease: 'ID="rocky"\nID_LIKE="rhel centos fedora"\n', ...machine }),
    "sudo dnf install -y mesa-vulkan-drivers vulkan-loader",
  );
  assertEquals(
    remedy({ osRelease: "ID=arch\n", ...machine }),
    "sudo pacman -S vulkan-swrast vulkan-icd-loader",
  );
});
