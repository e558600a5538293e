import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  authorityOf,
  describeConfig,
  parseConfig,
  readEnvironment,
  readModels,
  SHIPPED_MODEL,
} from "../../src/commands/config.ts";
import { UsageError } from "../../src/commands/flags.ts";
import { DEFAULT_SETTINGS } from "../../src/server/settings.ts";

const KEY_FILE = "# keys\r\nfirst-key\n\n  second,key  # of the night shift\n#third\n";

function parse(args: string[], environment: Record<string, string> = {}, keyFile = KEY_FILE) {
  return parseConfig(args, environment, {
    readTextFile: (path) => {
      if (path === "keys.txt") return keyFile;
      throw new Deno.errors.NotFound(`no ${path}`);
    },
  });
}

Deno.test("parseConfig() without arguments gives the defaults of the contract", () => {
  assertEquals(parse([]), {
    host: "127.0.0.1",
    port: 8000,
    models: [SHIPPED_MODEL],
    weights: null,
    tune: false,
    prefixCache: true,
    context: 4096,
    chatTemplate: null,
    apiKeyFile: null,
    apiKeys: [],
    corsOrigin: [],
    allowedHost: [],
    metricsPublic: false,
    maxBodyBytes: 1048576,
    maxConcurrent: 8,
    engines: null,
    maxQueue: 64,
    maxOutputTokens: 16384,
    maxRetained: 256,
    bodyTimeoutMs: 10000,
    requestTimeoutMs: 300000,
    writeTimeoutMs: 30000,
    keepaliveMs: 10000,
    drainTimeoutMs: 30000,
    deviceMemoryBytes: null,
  });
});

Deno.test("parseConfig() has the defaults that the server has by itself", () => {
  const config: Record<string, unknown> = { ...parse([]) };
  for (const [name, value] of Object.entries(DEFAULT_SETTINGS)) assertEquals(config[name], value);
});

Deno.test("parseConfig() takes every format of weights", () => {
  for (const format of ["f32", "f16", "int8", "int4"]) {
    assertEquals(parse(["--weights", format]).weights, format);
  }
});

Deno.test("parseConfig() is frozen, its lists too", () => {
  const config = parse(["--cors-origin", "*"]);
  assert(Object.isFrozen(config));
  assert(Object.isFrozen(config.apiKeys));
  assert(Object.isFrozen(config.models));
  assert(Object.isFrozen(config.corsOrigin));
});

Deno.test("parseConfig() reads the environment, lists by commas", () => {
  const config = parse([], {
    BD_PORT: "0",
    BD_MODEL: "models/a,b=/models/c=d",
    BD_CORS_ORIGIN: "https://a.example, http://localhost:3000",
    BD_METRICS_PUBLIC: "true",
    BD_DEVICE_MEMORY: "1073741824",
    BD_CONTEXT: "512",
  });
  assertEquals(config.context, 512);
  assertEquals(config.port, 0);
  assertEquals(config.models, [
    { id: "a", directory: "models/a" },
    { id: "b", directory: "/models/c=d" },
  ]);
  assertEquals(config.corsOrigin, ["https://a.example", "http://localhost:3000"]);
  assertEquals(config.metricsPublic, true);
  assertEquals(config.deviceMemoryBytes, 2 ** 30);
});

Deno.test("parseConfig() names a model after its directory unless told otherwise", () => {
  const config = parse(["--model", "models/tiny/", "--model=org/name=x"]);
  assertEquals(config.models, [
    { id: "tiny", directory: "models/tiny/" },
    { id: "org/name", directory: "x" },
  ]);
});

Deno.test("parseConfig() takes IPv6 addresses with and without brackets", () => {
  assertEquals(parse(["--host", "[::1]"]).host, "::1");
  assertEquals(parse(["--host", "::1"]).host, "::1");
});

Deno.test("parseConfig() joins the keys of environment and file, each once", () => {
  const config = parse(["--api-key-file", "keys.txt"], { BD_API_KEYS: "env-key, first-key" });
  assertEquals(config.apiKeys, ["env-key", "first-key", "second,key"]);
});

for (
  const [args, message] of [
    [["--host", "a,evil.example"], "--host"],
    [["--host", "a b"], "--host"],
    [["--port", "65536"], "an integer from 0 to 65535"],
    [["--weights", "int2"], 'value is "int2", expected one of f32, f16, int8, int4'],
    [["--chat-template", "chatml"], "expected plain"],
    [["--cors-origin", "https://a.example/"], "an origin such as"],
    [["--cors-origin", "a.example"], "an origin such as"],
    [["--allowed-host", "http://a.example"], "a Host header such as"],
    [["--max-concurrent", "0"], "an integer from 1"],
    [["--engines", "0"], "an integer from 1 to 256"],
    [["--engines", "9"], "Cannot share 8 sequences among 9 engines"],
    [["--context", "0"], "an integer from 1 to 2097152"],
    [["--request-timeout-ms", "2147483648"], "an integer from 1 to 2147483647"],
    [["--model", "/"], "a directory"],
    [["--model", "models/.."], "a directory"],
    [["--model", "a="], "a directory"],
    [["--model", "=a"], "a directory"],
    [["--model", "x/a", "--model", "y/a"], 'id "a" is given twice'],
    [["--api-keys", "secret"], 'flag is "--api-keys"'],
    [["--device-memory", "1"], 'flag is "--device-memory"'],
    [["--test-model"], 'flag is "--test-model"'],
    [["models/a"], '"models/a" is no flag'],
    [["--api-key-file", "absent.txt"], "no absent.txt"],
  ] as const
) {
  Deno.test(`parseConfig() refuses ${args.join(" ")}`, () => {
    assertThrows(() => parse([...args]), UsageError, message);
  });
}

Deno.test("parseConfig() refuses bad keys without showing them", () => {
  for (const keys of ["", "good,", "sec ret", "sécret", "x".repeat(257)]) {
    const error = assertThrows(() => parse([], { BD_API_KEYS: keys }), UsageError, "BD_API_KEYS");
    assertEquals(/secr|sec ret|sécret|xx|good/.test(error.message), false);
  }
  assertEquals(parse([], { BD_API_KEYS: "x".repeat(256) }).apiKeys.length, 1);
});

Deno.test("parseConfig() refuses a key file without a key", () => {
  const args = ["--api-key-file", "keys.txt"];
  assertThrows(() => parse(args, {}, "# none\n"), UsageError, "it has no key");
});

Deno.test("readEnvironment() asks for the variables of settings only", () => {
  const asked: string[] = [];
  const environment = readEnvironment((name) => {
    asked.push(name);
    return name === "BD_MAX_QUEUE" ? "1" : undefined;
  });
  assertEquals(environment, { BD_MAX_QUEUE: "1" });
  assert(asked.includes("BD_API_KEYS") && asked.includes("BD_DEVICE_MEMORY"));
  assert(asked.every((name) => name.startsWith("BD_")));
});

Deno.test("readModels() finds models among the arguments of another command", () => {
  const args = ["Once upon", "--top-p", "0.8", "--model", "models/a", "--model=b=c", "--trace"];
  assertEquals(readModels(args, {}), [
    { id: "a", directory: "models/a" },
    { id: "b", directory: "c" },
  ]);
  assertEquals(readModels(["--trace"], { BD_MODEL: "d" }), [{ id: "d", directory: "d" }]);
  assertEquals(readModels([], {}), [SHIPPED_MODEL]);
});

Deno.test("authorityOf() puts IPv6 addresses in brackets", () => {
  assertEquals(authorityOf({ host: "localhost", port: 80 }), "localhost:80");
  assertEquals(authorityOf({ host: "::1", port: 0 }), "[::1]:0");
});

Deno.test("describeConfig() shows flags with their defaults", () => {
  const help = describeConfig();
  assert(/--port N +port to listen on; 0 picks one \(default 8000\)/.test(help));
  assert(help.includes("BD_API_KEYS"));
});

Deno.test("parseConfig() gives each model the tokenizer named for it, else the general one", () => {
  const models = ["--model", "a=x", "--model", "b=y"];
  const tokenizers = ["--tokenizer", "b=/t/b", "--tokenizer", "/t/all"];
  const expected = [
    { id: "a", directory: "x", tokenizer: "/t/all" },
    { id: "b", directory: "y", tokenizer: "/t/b" },
  ];
  assertEquals(parse([...models, ...tokenizers]).models, expected);
  assertEquals(parse(models, { BD_TOKENIZER: "b=/t/b,/t/all" }).models, expected);
  assertEquals(readModels(["Once", ...models, ...tokenizers], {}), expected);
  assertEquals(parse([...models, "--tokenizer", "c=/t/c"]).models.map(Object.keys), [
    ["id", "directory"],
    ["id", "directory"],
  ]);
  assertThrows(() => parse(["--tokenizer", "a="]), UsageError, "expected a directory, or id=");
});
