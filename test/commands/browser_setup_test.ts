import { assertEquals, assertStringIncludes } from "@std/assert";
import {
  type BrowserMachine,
  ensureBrowser,
  findBrowser,
  missingBrowser,
} from "../../src/commands/browser_setup.ts";

const DEBIAN = "ID=debian\n";

/** A machine without a browser, and all that was done to it. */
function bareMachine(change: Partial<BrowserMachine> & { failing?: string } = {}) {
  const { failing, ...rest } = change;
  const commands: string[] = [];
  const said: string[] = [];
  const machine: BrowserMachine = {
    find: () => null,
    run: (command) => {
      commands.push(command.join(" "));
      const success = !command.includes(failing ?? "");
      return Promise.resolve({ success, output: success ? "fine\n" : "E: no such luck\n" });
    },
    isRoot: true,
    osRelease: DEBIAN,
    mayInstall: true,
    say: (line) => void said.push(line),
    ...rest,
  };
  return { machine, commands, said };
}

Deno.test("ensureBrowser() touches nothing where there is a browser", async () => {
  const { machine, commands, said } = bareMachine({ find: () => "/usr/bin/chromium" });
  await ensureBrowser(machine);
  assertEquals([commands, said], [[], []]);
});

Deno.test("ensureBrowser() installs Chromium on Debian as root and says so once", async () => {
  const { machine, commands, said } = bareMachine();
  await ensureBrowser(machine);
  assertEquals(commands, [
    "apt-get update",
    "apt-get -o DPkg::Lock::Timeout=120 install -y --no-install-recommends chromium",
  ]);
  assertEquals(said, ["No browser found: installing chromium with apt-get"]);
});

Deno.test("ensureBrowser() shows the output of a failed installation and goes on", async () => {
  const { machine, said } = bareMachine({ failing: "install" });
  await ensureBrowser(machine);
  assertStringIncludes(said.at(-1)!, "E: no such luck");
});

for (
  const [name, change, command] of [
    [
      "without root",
      { isRoot: false },
      "Run: sudo apt-get update && sudo apt-get install -y --no-install-recommends chromium",
    ],
    ["where that is forbidden", { mayInstall: false }, "Run: apt-get update && apt-get install -y"],
    ["on another system", { osRelease: "ID=fedora\n" }, "Run: dnf install -y chromium"],
    ["on an unknown system", { osRelease: null }, "BD_CHROMIUM"],
  ] as const
) {
  Deno.test(`ensureBrowser() installs nothing ${name} and says what to run`, async () => {
    const { machine, commands, said } = bareMachine(change);
    await ensureBrowser(machine);
    assertEquals(commands, []);
    assertEquals(said, [missingBrowser(machine)]);
    assertStringIncludes(said[0]!, command);
  });
}

Deno.test("findBrowser() takes the one that BD_CHROMIUM names", () => {
  assertEquals(findBrowser({ BD_CHROMIUM: "/opt/browser" }), "/opt/browser");
});
