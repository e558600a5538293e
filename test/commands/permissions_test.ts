import { assertEquals, assertThrows } from "@std/assert";
import { SHIPPED_MODEL } from "../../src/commands/config.ts";
import { UsageError } from "../../src/commands/flags.ts";
import { permissionsOf, ROOT } from "../../src/commands/permissions.ts";

const SOURCES = `${ROOT}src,${ROOT}kernels`;

Deno.test("permissionsOf() gives serve its address, its files and its variables", () => {
  assertEquals(permissionsOf("serve", { args: ["--port", "0"], environment: {} }), [
    "--allow-net=127.0.0.1:0",
    `--allow-read=${SOURCES},${SHIPPED_MODEL.directory}`,
    "--allow-env=BD_*",
  ]);
});

Deno.test("permissionsOf() lets serve read other models and the key file instead", async () => {
  const directory = await Deno.makeTempDir();
  const link = `${directory}/link`;
  const keys = `${directory}/keys`;
  await Deno.mkdir(`${directory}/model`);
  await Deno.symlink(`${directory}/model`, link);
  await Deno.writeTextFile(keys, "key\n");
  const args = ["--host", "::1", "--api-key-file", keys, "--model", "a=/no/such", "--model", link];
  assertEquals(permissionsOf("serve", { args, environment: {} }), [
    "--allow-net=[::1]:8000",
    `--allow-read=${SOURCES},/no/such,${link},${directory}/model,${keys}`,
    "--allow-env=BD_*",
  ]);
  await Deno.remove(directory, { recursive: true });
});

Deno.test("permissionsOf() gives generate no network", () => {
  const args = ["Once", "--top-p", "0.8", "--model", "/no/such"];
  assertEquals(permissionsOf("generate", { args, environment: {} }), [
    `--allow-read=${SOURCES},/no/such`,
    "--allow-env=BD_*",
  ]);
});

Deno.test("permissionsOf() lets profile write its trace file and nothing else", () => {
  const args = ["Once", "--model=/no/such", "--trace-file", "/tmp/none/trace.json"];
  assertEquals(permissionsOf("profile", { args, environment: {} }), [
    `--allow-read=${SOURCES},/no/such`,
    "--allow-write=/tmp/none/trace.json",
    "--allow-env=BD_*",
  ]);
  const [read, ...others] = permissionsOf("profile", { args: ["Once"], environment: {} });
  assertEquals([read?.startsWith("--allow-read="), others], [true, ["--allow-env=BD_*"]]);
  const invocation = { args: ["--trace-file", "/tmp/a,/etc"], environment: {} };
  assertThrows(() => permissionsOf("profile", invocation), UsageError, "allow to write: path is");
});

Deno.test("permissionsOf() lets evaluate read its model and its text", () => {
  const args = ["--json", "--model", "/no/such", "--text", "/no/text.gz"];
  assertEquals(permissionsOf("evaluate", { args, environment: {} }), [
    "--allow-read=/no/such,/no/text.gz",
    "--allow-env=BD_*",
  ]);
  assertEquals(permissionsOf("evaluate", { args: args.slice(0, 3), environment: {} }), [
    "--allow-read=/no/such",
    "--allow-env=BD_*",
  ]);
});

Deno.test("permissionsOf() lets check read its directory only", () => {
  const environment = { BD_MODEL: "/other" };
  assertEquals(permissionsOf("check", { args: ["/no/such"], environment }), [
    "--allow-read=/no/such",
  ]);
  assertEquals(permissionsOf("check", { args: [], environment }), []);
});

Deno.test("permissionsOf() lets doctor read the models and the system's name", () => {
  const args = ["--json", "--model", "/no/such"];
  // A link on most systems.
  const system = new Set(["/etc/os-release", Deno.realPathSync("/etc/os-release")]);
  assertEquals(permissionsOf("doctor", { args, environment: {} }), [
    `--allow-read=/no/such,${[...system].join()}`,
    "--allow-env=BD_*",
  ]);
});

Deno.test("permissionsOf() refuses a comma, which would allow a second path", () => {
  const invocation = { args: ["/tmp,/etc"], environment: {} };
  assertThrows(() => permissionsOf("check", invocation), UsageError, "without a comma");
});

Deno.test("permissionsOf() lets train write its own directory and nothing else", () => {
  const args = [
    "--text",
    "/no/text",
    "--valid",
    "/no/valid",
    "--out",
    "/no/out",
    "--model",
    "/no/m",
  ];
  assertEquals(permissionsOf("train", { args, environment: {} }), [
    `--allow-read=${SOURCES},/no/text,/no/valid,/no/m,/no/out`,
    "--allow-write=/no/out",
    "--allow-env=BD_*",
  ]);
});

Deno.test("permissionsOf() lets pull reach its hub, where that redirects to, and the cache", () => {
  const environment = { HF_ENDPOINT: "http://127.0.0.1:81/hub/", HF_HUB_CACHE: "/no/cache" };
  const args = ["org/name", "--redirect-host", "storage.example.com"];
  assertEquals(permissionsOf("pull", { args, environment }).slice(0, 3), [
    "--allow-net=127.0.0.1:81,*.hf.co,*.huggingface.co,storage.example.com",
    "--allow-read=/no/cache",
    "--allow-write=/no/cache",
  ]);
  const [net, , , env] = permissionsOf("pull", {
    args: ["org/name"],
    environment: { HOME: "/no" },
  });
  assertEquals(net, "--allow-net=huggingface.co,*.hf.co,*.huggingface.co");
  assertEquals(env?.startsWith("--allow-env=HF_ENDPOINT,HF_TOKEN,"), true);
  const wide = { args: [...args, "--redirect-host", "a,b"], environment };
  assertThrows(() => permissionsOf("pull", wide), UsageError, 'value is "a,b"');
});

Deno.test("permissionsOf() lets the blobs be read that a snapshot's links lead to", async () => {
  const directory = await Deno.realPath(await Deno.makeTempDir());
  const snapshot = `${directory}/models--org--name/snapshots/${"1".repeat(40)}`;
  await Deno.mkdir(snapshot, { recursive: true });
  assertEquals(permissionsOf("check", { args: [snapshot], environment: {} }), [
    `--allow-read=${snapshot},${directory}/models--org--name/blobs`,
  ]);
  const args = ["--model", `a=${snapshot}`, "--tokenizer", "a=/no/tokenizer", "--text", "/no/text"];
  assertEquals(
    permissionsOf("evaluate", { args, environment: {} })[0],
    [
      `--allow-read=${snapshot},${directory}/models--org--name/blobs,/no/tokenizer,/no/text`,
    ].join(),
  );
  await Deno.remove(directory, { recursive: true });
});

Deno.test("permissionsOf() lets quantize read one directory and write another", () => {
  const args = ["/no/such", "/no/out", "--weights=int4"];
  assertEquals(permissionsOf("quantize", { args, environment: {} }), [
    "--allow-read=/no/such,/no/out,/no/out.partial",
    "--allow-write=/no/out,/no/out.partial",
  ]);
  assertThrows(() => permissionsOf("quantize", { args: ["/no"], environment: {} }), UsageError);
});
