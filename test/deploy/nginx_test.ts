import { assert, assertEquals } from "@std/assert";
import { adapted, pathOfTool, runTool } from "../support/deploy_tool.ts";
import { freePort, untilListening } from "../support/ports.ts";
import { TestServer } from "../support/test_server.ts";

/** The project's file inside a configuration that leaves no trace outside of `directory`. */
async function configure(directory: string, changes: [string, string][]): Promise<string> {
  await Deno.writeTextFile(`${directory}/site.conf`, await adapted("deploy/nginx.conf", changes));
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  const text = `
    daemon off;
    master_process off;
    error_log stderr warn;
    pid ${directory}/nginx.pid;
    events {}
    http {
      access_log off;
      ${temporary.map((name) => `${name}_temp_path ${directory}/${name};`).join("\n")}
      include ${directory}/site.conf;
    }`;
  const path = `${directory}/nginx.conf`;
  await Deno.writeTextFile(path, text);
  return path;
}

/** nginx in front of a server, until disposed. */
async function startNginx(directory: string, server: TestServer) {
  const port = freePort();
  const path = await configure(directory, [
    ["server server:8000;", `server ${new URL(server.address).host};`],
    ["listen 8080;", `listen 127.0.0.1:${port};`],
  ]);
  const child = new Deno.Command(pathOfTool("nginx"), { args: ["-c", path] }).spawn();
  await untilListening(port);
  return {
    address: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await child.status;
    },
  };
}

async function inTempDir(use: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "blockdiffusion-nginx-" });
  try {
    await use(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("nginx finds its configuration sound", async () => {
  await inTempDir(async (directory) => {
    // The name is that of the container beside it.
    const path = await configure(directory, [["server server:8000;", "server 127.0.0.1:8000;"]]);
    const { status, stderr } = await runTool("nginx", ["-t", "-q", "-c", path]);
    assertEquals([status, stderr], [0, ""]);
  });
});

Deno.test("streams go through nginx as they come, and metrics do not", async () => {
  await inTempDir(async (directory) => {
    await using server = await TestServer.start("--test-step-ms", "60", "--max-concurrent", "1");
    await using nginx = await startNginx(directory, server);
    const response = await fetch(`${nginx.address}/v1/blocks?prompt=abc&max_tokens=400`);
    assertEquals(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    while (!text.includes("event: block")) text += (await reader.read()).value ?? "";
    assert(!text.includes("event: done"));
    const running = await (await server.get("/metrics")).text();
    assertEquals(/^bd_sequences_running (\d+)$/m.exec(running)?.[1], "1");
    await reader.cancel();
    const refused = await fetch(`${nginx.address}/metrics`);
    assertEquals(refused.status, 403);
    await refused.body?.cancel();
  });
});
