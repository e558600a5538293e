import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { processSurroundings } from "../../src/commands/model_command.ts";
import { permissionsOf } from "../../src/commands/permissions.ts";
import { run } from "../../src/commands/train.ts";
import { writeTinyCheckpoint } from "../support/checkpoints.ts";
import { ROOT, runDeno, RunningDeno } from "../support/process.ts";
import { Pipe, Screen } from "../support/screen.ts";

const UPDATES = 9;

Deno.test("train goes on to the same weights after it was killed", async () => {
  await withTraining(async ({ args }) => {
    const [whole, killed] = ["whole", "killed"];
    const { status, stderr } = await runDeno(args(whole));
    assertEquals([status, stderr], [0, ""]);

    {
      await using child = new RunningDeno(args(killed));
      let line = "";
      while (!line.startsWith("saved")) line = await child.line() ?? "saved nothing";
      assertStringIncludes(line, "step-00000002");
      child.process.kill("SIGKILL");
      await child.process.status;
    }
    // Only what it is told to go on with, it goes on with.
    const refused = await runDeno(args(killed));
    assertEquals(refused.status, 2);
    assertStringIncludes(refused.stderr, "expected --resume");
    const changed = await runDeno(args(killed, "--resume", "--seed", "9"));
    assertEquals(changed.status, 2);
    assertStringIncludes(changed.stderr, 'Cannot resume: "seed" was 1 and is 9');

    const resumed = await runDeno(args(killed, "--resume"));
    assertEquals([resumed.status, resumed.stderr], [0, ""]);
    assertStringIncludes(resumed.stdout, "going on after update");
    const last = `step-0000000${UPDATES}`;
    for (const file of ["model.safetensors", "training/model.safetensors"]) {
      const [one, other] = [whole, killed].map((each) =>
        Deno.readFileSync(join(args.root, each, last, file))
      );
      assertEquals(one, other, file);
    }
    const table = Deno.readTextFileSync(join(args.root, killed, "progress.csv"));
    assertEquals(table.trim().split("\n").length, 1 + UPDATES);
    const check = await runDeno([
      "run",
      "-A",
      `${ROOT}main.ts`,
      "check",
      join(args.root, killed, last),
    ]);
    assertEquals(JSON.parse(check.stdout).ok, true);
  });
});

Deno.test("train saves what it has when it is interrupted", async () => {
  await withTraining(async ({ args }) => {
    await using child = new RunningDeno(args("out", "--updates", "10000", "--save-every", "5000"));
    assertStringIncludes(await child.line() ?? "", "parameters");
    assertStringIncludes(await child.line() ?? "", "NELBO");
    child.process.kill("SIGINT");
    let line: string | null = "";
    let last = "";
    while ((line = await child.line()) !== null) last = line;
    assert(/saved .*step-\d{8}$/.test(last), last);
    assertEquals((await child.process.status).code, 130);
  });
});

Deno.test("train begins with random weights where only config and tokenizer are there", async () => {
  await withTraining(async ({ args }) => {
    Deno.removeSync(join(args.root, "base/model.safetensors"));
    const { status, stdout } = await runDeno(args("out", "--scratch", "--updates", "1"));
    assertEquals(status, 0);
    // Its head is silent: all of 257 tokens are equally likely.
    assertStringIncludes(stdout, `NELBO ${Math.log(257).toFixed(3)}`.slice(0, 10));
  });
});

Deno.test("train shows on a terminal how much of its texts it has read", async () => {
  await withTraining(async ({ args }) => {
    const all = args("out", "--updates", "1");
    const screen = new Screen(60, 4);
    const status = await run(all.slice(all.indexOf("train") + 1), {
      ...processSurroundings(),
      stdout: new Pipe(),
      stderr: screen,
    });
    assertEquals(status, 0);
    // The text, then the held-out one.
    assertEquals(screen.written.match(/\rtokenising [^\r]*100 %/g)?.length, 2);
    assertEquals(screen.lines.join("").trim(), "");
  });
});

/** Runs `use` with what makes the command line of a small training. */
async function withTraining(
  use: (
    parts: { args: ((out: string, ...more: string[]) => string[]) & { root: string } },
  ) => Promise<void>,
): Promise<void> {
  const root = Deno.makeTempDirSync({ prefix: "blockdiffusion-" });
  try {
    const config = { hidden_dim: 32, n_heads: 2, n_blocks: 1 };
    const base = writeTinyCheckpoint(join(root, "base"), { config });
    const story = "The cat sat on the mat, and then it slept.\n<|endoftext|>\n";
    Deno.writeTextFileSync(join(root, "text"), story.repeat(20));
    const args = (out: string, ...more: string[]) => {
      const flags = [
        ...["--text", join(root, "text"), "--valid", join(root, "text"), "--model", base],
        ...[
          "--out",
          join(root, out),
          "--batch",
          "2",
          "--evaluate-every",
          "1",
          "--evaluate-windows",
          "2",
        ],
        ...(more.includes("--updates") ? [] : ["--updates", String(UPDATES)]),
        ...(more.includes("--save-every") ? [] : ["--save-every", "2"]),
        ...more,
      ];
      const permissions = permissionsOf("train", { args: flags, environment: {} });
      return [
        "run",
        "--no-prompt",
        "--frozen",
        ...permissions,
        `${ROOT}main.ts`,
        "train",
        ...flags,
      ];
    };
    await use({ args: Object.assign(args, { root }) });
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
}
