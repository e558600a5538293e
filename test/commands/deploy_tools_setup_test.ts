import { assertEquals, assertStringIncludes } from "@std/assert";
import {
  type DeployMachine,
  type DeployTool,
  ensureDeployTools,
  missingTools,
} from "../../src/commands/deploy_tools_setup.ts";

const APT = "apt-get -o DPkg::Lock::Timeout=120 install -y --no-install-recommends";

/** A machine with nginx alone, and all that was done to it. */
function bareMachine(change: Partial<DeployMachine> & { failing?: string } = {}) {
  const { failing, ...rest } = change;
  const commands: string[] = [];
  const said: string[] = [];
  const machine: DeployMachine = {
    find: (tool) => tool === "nginx" ? "/usr/sbin/nginx" : null,
    run: (command) => {
      commands.push(command.join(" "));
      const success = !command.includes(failing ?? "");
      return Promise.resolve({ success, output: success ? "fine\n" : "E: no such luck\n" });
    },
    withoutServices: async (work) => {
      commands.push("forbid services");
      const result = await work();
      commands.push("allow services");
      return result;
    },
    isRoot: true,
    osRelease: "ID=debian\n",
    mayInstall: true,
    say: (line) => void said.push(line),
    ...rest,
  };
  return { machine, commands, said };
}

Deno.test("ensureDeployTools() touches nothing where there are all", async () => {
  const { machine, commands, said } = bareMachine({ find: (tool) => `/usr/bin/${tool}` });
  await ensureDeployTools(machine);
  assertEquals([commands, said], [[], []]);
});

Deno.test("ensureDeployTools() installs what is missing, and starts no service", async () => {
  const { machine, commands, said } = bareMachine();
  await ensureDeployTools(machine);
  const update = "apt-get update";
  const installation = `${APT} caddy systemd`;
  assertEquals(commands, ["forbid services", update, installation, "allow services"]);
  assertEquals(said, ["Installing caddy, systemd with apt-get, for tests of deploy/"]);
});

Deno.test("ensureDeployTools() shows the output of a failed installation and goes on", async () => {
  const { machine, said } = bareMachine({ failing: "install" });
  await ensureDeployTools(machine);
  assertStringIncludes(said.at(-1)!, "E: no such luck");
});

for (
  const [name, change, command] of [
    ["without root", { isRoot: false }, "sudo apt-get install -y --no-install-recommends caddy"],
    ["where that is forbidden", { mayInstall: false }, "Run: apt-get update && apt-get install -y"],
    ["on another system", { osRelease: "ID=fedora\n" }, "Run: dnf install -y caddy systemd"],
    ["on an unknown system", { osRelease: null }, "Run: the installer of caddy, systemd"],
  ] as const
) {
  Deno.test(`ensureDeployTools() installs nothing ${name} and says what to run`, async () => {
    const { machine, commands, said } = bareMachine(change);
    await ensureDeployTools(machine);
    assertEquals(commands, []);
    const missing: DeployTool[] = ["caddy", "systemd-analyze"];
    assertEquals(said, [missingTools(missing, machine)]);
    assertStringIncludes(said[0]!, command);
  });
}
