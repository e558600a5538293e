import { assertEquals, assertStringIncludes } from "@std/assert";
import { curlCall, javaScriptCall } from "../../../src/server/playground/calls.js";

const FIELDS = {
  prompt: "It's \"$HOME\" `id` \\ \n\ttwo lines, 'quoted' é",
  stop: ["'", "\\"],
  temperature: 0.5,
};
const address = "http://127.0.0.1:8000/v1/blocks";

/** The arguments that `curl` gets when a shell runs a command. */
async function argumentsOf(command: string): Promise<string[]> {
  const script = `curl() { for each in "$@"; do printf '%s\\0' "$each"; done; }\n${command}`;
  const { stdout, success } = await new Deno.Command("sh", {
    args: ["-c", script],
    env: { API_KEY: "secret" },
  }).output();
  assertEquals(success, true);
  return new TextDecoder().decode(stdout).split("\0").slice(0, -1);
}

Deno.test("curlCall() is what a shell makes this very request of, whatever is in it", async () => {
  const args = await argumentsOf(curlCall({ address, fields: FIELDS, needsKey: false }));
  assertEquals(args.slice(0, 4), ["-N", address, "-H", "content-type: application/json"]);
  assertEquals(args[4], "-d");
  assertEquals(JSON.parse(args[5]!), FIELDS);
  assertEquals(args.length, 6);
});

Deno.test("curlCall() takes a key from the environment", async () => {
  const args = await argumentsOf(curlCall({ address, fields: {}, needsKey: true }));
  assertEquals(args.slice(4, 6), ["-H", "authorization: Bearer secret"]);
});

for (const needsKey of [false, true]) {
  Deno.test(`javaScriptCall() is a program that sends this request, key: ${needsKey}`, async () => {
    const program = javaScriptCall({ address, fields: FIELDS, needsKey });
    const sent: unknown[] = [];
    const printed: string[] = [];
    const fetch = (url: string, init: RequestInit) => {
      const { body, ...rest } = init;
      sent.push(url, rest, JSON.parse(String(body)));
      return Promise.resolve(new Response("data: é\n\n"));
    };
    const console = { log: (text: string) => printed.push(text) };
    const names = ["fetch", "console", "apiKey"];
    await new Function(...names, `return (async () => {${program}})()`)(fetch, console, "secret");
    const key = needsKey ? { authorization: "Bearer secret" } : {};
    const headers = { "content-type": "application/json", ...key };
    assertEquals(sent, [address, { method: "POST", headers }, FIELDS]);
    assertEquals(printed.join(""), "data: é\n\n");
  });
}

Deno.test("javaScriptCall() is indented as one would write it", () => {
  const program = javaScriptCall({ address, fields: { seed: 1 }, needsKey: false });
  assertStringIncludes(program, '  body: JSON.stringify({\n    "seed": 1\n  }),\n});\n');
});
