import { assert, assertEquals } from "@std/assert";
import { validate } from "dockerfile-utils";
import { NVIDIA_VULKAN } from "../../src/commands/nvidia.ts";
import { deadline } from "../support/deadline.ts";
import { freePort, untilListening } from "../support/ports.ts";
import { ROOT } from "../support/process.ts";
import { copyProject } from "../support/project_copy.ts";

const text = await Deno.readTextFile(`${ROOT}Dockerfile`);

/** Instructions with their arguments, lines joined and comments left out. */
const instructions = text
  .replace(/^#.*\n/gm, "")
  .replace(/\\\n\s*/g, " ")
  .split("\n")
  .filter((line) => line !== "")
  .map((line) => {
    const [, name = "", rest = ""] = /^(\w+)\s+(.*)$/.exec(line) ?? [];
    return { name, rest };
  });

function argumentsOf(name: string): string[] {
  return instructions.filter((each) => each.name === name).map(({ rest }) => rest);
}

/** The arguments of a program that is started without a shell. */
function programOf(name: string): string[] {
  const [command = ""] = /\[.*\]$/.exec(argumentsOf(name)[0] ?? "") ?? [];
  return JSON.parse(command);
}

/** Names of what the image gets. */
async function contextNames(): Promise<string[]> {
  const ignore = (await Deno.readTextFile(`${ROOT}.dockerignore`)).trim().split("\n");
  assertEquals(ignore[0], "*");
  return ignore.slice(1).map((line) => /^!([\w.]+)$/.exec(line)?.[1] ?? line);
}

Deno.test("the Dockerfile has no mistakes that a linter finds, and its shell can be read", async () => {
  assertEquals(validate(text), []);
  for (const command of argumentsOf("RUN")) {
    const { code, stderr } = await new Deno.Command("sh", { args: ["-n", "-c", command] }).output();
    assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
  }
});

Deno.test("the image has this Deno, a user of its own, and what NVIDIA's driver links", () => {
  const [, version] = /^denoland\/deno:bin-(\S+) AS deno$/.exec(argumentsOf("FROM")[0] ?? "") ?? [];
  assertEquals(version, Deno.version.deno);
  const [installation = "", user = ""] = argumentsOf("RUN");
  assert(user.includes(`useradd --create-home --uid 10001 ${argumentsOf("USER")[0]} `));
  for (const each of NVIDIA_VULKAN.debian) assert(installation.includes(` ${each} `), each);
  const environment = argumentsOf("ENV").join(" ");
  assert(environment.includes("NVIDIA_DRIVER_CAPABILITIES=compute,utility,graphics "));
});

Deno.test("what the image starts, from what it gets, answers its health check", async () => {
  const directory = await Deno.makeTempDir({ prefix: "blockdiffusion-image-" });
  try {
    await copyProject(directory, await contextNames());
    const port = freePort();
    /** As it is here: the directory, the program and the port. */
    const here = (args: string[]) =>
      args.map((each) => each.replaceAll("/app/", `${directory}/`).replaceAll("8000", `${port}`));
    const [, ...preparation] = (argumentsOf("RUN").at(-1) ?? "").split(" ");
    const deno = (args: string[]) =>
      new Deno.Command(Deno.execPath(), {
        args,
        cwd: directory,
        env: { BD_HOST: "0.0.0.0", BD_PORT: String(port), XDG_RUNTIME_DIR: "/tmp" },
        stdout: "null",
      });
    assert((await deno(["cache", "--quiet", ...preparation.slice(1)]).output()).success);
    const server = deno(here(programOf("ENTRYPOINT")).slice(1)).spawn();
    try {
      await Promise.race([untilListening(port), server.status]);
      const check = deno(here(programOf("HEALTHCHECK")).slice(1));
      assertEquals((await deadline(check.output(), "the health check")).code, 0);
    } finally {
      server.kill("SIGTERM");
      await server.status;
    }
    assert(!(await deno(here(programOf("HEALTHCHECK")).slice(1)).output()).success);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
