import { assertEquals } from "@std/assert";
import { shareCores } from "../../src/commands/share_cores.ts";
import { SHIPPED_MODEL } from "../../src/commands/config.ts";
import { withTempDir } from "../support/temp_dir.ts";

const USERS = { HOME: "/home/a" };

/** Writes a checkpoint of 128 MiB, all holes. */
function writeLargeModel(directory: string): void {
  Deno.copyFileSync(`${SHIPPED_MODEL.directory}/config.json`, `${directory}/config.json`);
  const bytes = 2 ** 27;
  const tensor = { dtype: "F16", shape: [bytes / 2], data_offsets: [0, bytes] };
  const header = new TextEncoder().encode(JSON.stringify({ tensor }));
  using file = Deno.openSync(`${directory}/model.safetensors`, { write: true, create: true });
  file.writeSync(new Uint8Array(BigUint64Array.of(BigInt(header.length)).buffer));
  file.writeSync(header);
  file.truncateSync(8 + header.length + bytes);
}

Deno.test("shareCores() gives a small model an engine for each core, without more threads", () => {
  const shared = shareCores("serve", { args: [], environment: USERS }, 2);
  assertEquals(shared, { ...USERS, BD_ENGINES: "2", LP_NUM_THREADS: "0" });
});

for (
  const [cores, args, engines] of [
    [1, [], "1"],
    [64, [], "8"],
    [4, ["--max-concurrent", "3"], "3"],
    [8, ["--model", SHIPPED_MODEL.directory, "--model", `b=${SHIPPED_MODEL.directory}`], "4"],
  ] as const
) {
  Deno.test(`shareCores() gives ${engines} engines to ${cores} cores with ${args.length} arguments`, () => {
    assertEquals(shareCores("serve", { args, environment: {} }, cores).BD_ENGINES, engines);
  });
}

Deno.test("shareCores() lets a small model of other commands run in one thread", () => {
  for (const command of ["generate", "chat", "profile"] as const) {
    const shared = shareCores(command, { args: ["a prompt"], environment: USERS }, 2);
    assertEquals(shared, { ...USERS, LP_NUM_THREADS: "0" });
  }
});

Deno.test("shareCores() leaves all cores to one engine of a large model", () => {
  withTempDir((directory) => {
    writeLargeModel(directory);
    const both = ["--model", SHIPPED_MODEL.directory, "--model", `large=${directory}`];
    for (const args of [["--model", directory], both]) {
      assertEquals(shareCores("serve", { args, environment: USERS }, 2), USERS);
    }
    const asked = { args: ["--model", directory, "x"], environment: USERS };
    assertEquals(shareCores("generate", asked, 2), USERS);
  });
});

Deno.test("shareCores() gives no more engines than memory holds", () => {
  // One with all slots takes 42 MiB, two 71, three 101 and four 128: each has the weights, 13.
  for (
    const [mebibytes, engines] of [[130, "4"], [110, "3"], [80, "2"], [50, "1"], [1, "1"]] as const
  ) {
    const environment = { BD_DEVICE_MEMORY: String(mebibytes * 2 ** 20) };
    assertEquals(shareCores("serve", { args: [], environment }, 4).BD_ENGINES, engines);
  }
});

Deno.test("shareCores() does as the user says", () => {
  const share = (args: string[], environment: Record<string, string>) =>
    shareCores("serve", { args, environment }, 2);
  assertEquals(share(["--engines", "1"], {}), {});
  assertEquals(share([], { BD_ENGINES: "1" }), { BD_ENGINES: "1" });
  assertEquals(share(["--engines", "4"], {}), { LP_NUM_THREADS: "0" });
  assertEquals(share([], { LP_NUM_THREADS: "2" }), { LP_NUM_THREADS: "2" });
  assertEquals(share([], { LP_NUM_THREADS: "0" }), { BD_ENGINES: "2", LP_NUM_THREADS: "0" });
});

Deno.test("shareCores() leaves a directory without a model to the command", () => {
  assertEquals(shareCores("serve", { args: ["--model", "absent"], environment: {} }, 2), {});
});
