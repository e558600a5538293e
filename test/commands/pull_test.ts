import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { basename, join } from "@std/path";
import { writeTinyCheckpoint } from "../support/checkpoints.ts";
import { checksumOf, HubServer } from "../support/hub_server.ts";
import { type Outcome, ROOT, runDeno, RunningDeno } from "../support/process.ts";

const LAUNCH = ["run", "--allow-all", `${ROOT}src/commands/launch.ts`];
const ID = "kuleshov-group/bd3lm-tiny";
const GPT2 = "openai-community/gpt2";

interface Hub {
  readonly server: HubServer;
  readonly cache: string;
  /** The hub's model as a directory. */
  readonly model: string;
  readonly environment: Record<string, string>;
  /** Runs a task of the launcher with this hub and this cache. */
  readonly run: (args: string[], environment?: Record<string, string>) => Promise<Outcome>;
}

/** A test with a hub that has a BD3-LM without a tokenizer, and a small one as GPT-2's. */
function hubTest(name: string, use: (hub: Hub) => Promise<void>): void {
  Deno.test(name, async () => {
    const directory = await Deno.makeTempDir();
    const config = {
      vocab_size: 50_258,
      auto_map: { AutoConfig: "configuration_bd3lm.BD3LMConfig" },
    };
    const model = writeTinyCheckpoint(join(directory, "m"), { config, hasTokenizer: false });
    const gpt2 = writeTinyCheckpoint(join(directory, "t"));
    await using server = new HubServer(
      { id: ID, files: { ...filesOf(model), "modeling_bd3lm.py": "" } },
      { id: GPT2, files: filesOf(gpt2) },
    );
    const cache = join(directory, "cache");
    const environment = {
      ...{ HF_ENDPOINT: server.endpoint, HF_HUB_CACHE: cache, HF_TOKEN: "", HF_HUB_OFFLINE: "" },
    };
    const run: Hub["run"] = (args, more) =>
      runDeno([...LAUNCH, ...args], { ...environment, ...more });
    try {
      await use({ server, cache, model, environment, run });
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  });
}

function filesOf(directory: string): Record<string, Uint8Array> {
  return Object.fromEntries(
    namesIn(directory).map((name) => [
      name,
      Deno.readFileSync(join(directory, name)),
    ]),
  );
}

function namesIn(directory: string): string[] {
  return Array.from(Deno.readDirSync(directory), ({ name }) => name).sort();
}

function snapshotOf(cache: string, id: string): string {
  const folder = `models--${id.replace("/", "--")}`;
  return join(cache, folder, "snapshots", HubServer.COMMIT);
}

/** What a client that makes symbolic links leaves in the cache of a model's files. */
function cacheWithLinks(cache: string, { id, model }: { id: string; model: string }): string {
  const snapshot = snapshotOf(cache, id);
  const folder = join(snapshot, "..", "..");
  for (const each of [snapshot, join(folder, "blobs"), join(folder, "refs")]) {
    Deno.mkdirSync(each, { recursive: true });
  }
  Deno.writeTextFileSync(join(folder, "refs", "main"), HubServer.COMMIT);
  for (const [name, bytes] of Object.entries(filesOf(model))) {
    const blob = checksumOf(name, bytes);
    Deno.writeFileSync(join(folder, "blobs", blob), bytes);
    Deno.symlinkSync(`../../blobs/${blob}`, join(snapshot, name));
  }
  return snapshot;
}

hubTest("pull gets a model and the tokenizer it lacks, for serve to find", async (hub) => {
  const { server: { storageHost }, cache, environment, run } = hub;
  const pulled = await run(["pull", ID, "--redirect-host", storageHost]);
  assertEquals([pulled.status, pulled.stdout], [0, `${snapshotOf(cache, ID)}\n`], pulled.stderr);
  assertStringIncludes(pulled.stderr, `${ID} config.json: `);
  assertEquals(namesIn(snapshotOf(cache, ID)), ["config.json", "model.safetensors"]);
  const tokenizer = ["tokenizer.json", "tokenizer_config.json"];
  assertEquals(namesIn(snapshotOf(cache, GPT2)), tokenizer);

  await using serving = new RunningDeno(
    [...LAUNCH, "serve", "--port", "0", "--model", ID],
    environment,
  );
  let line = await serving.line();
  while (line !== null && !line.startsWith("listening on ")) line = await serving.line();
  const address = line!.slice("listening on ".length);
  let response = await fetch(`${address}/v1/models/${encodeURIComponent(ID)}`);
  while (response.status === 503) {
    await response.body?.cancel();
    response = await fetch(`${address}/v1/models/${encodeURIComponent(ID)}`);
  }
  const { id, vocab_size: vocabSize } = await response.json();
  assertEquals([id, vocabSize], [ID, 50_258]);
});

hubTest("check and generate find what another client has in the cache", async (hub) => {
  const { cache, model, run } = hub;
  const snapshot = cacheWithLinks(cache, { id: ID, model });
  const without = await run(["check", ID]);
  assertEquals(without.status, 2);
  assertStringIncludes(without.stderr, `or get that with: deno task pull ${GPT2}\n`);

  const pulled = await run(["pull", GPT2]);
  assertEquals(pulled.status, 0, pulled.stderr);
  const { status, stdout } = await run(["check", ID]);
  assertEquals([status, JSON.parse(stdout).ok], [0, true], stdout);

  const secret = join(cache, "secret");
  Deno.renameSync(Deno.realPathSync(join(snapshot, "config.json")), secret);
  Deno.removeSync(join(snapshot, "config.json"));
  Deno.symlinkSync(secret, join(snapshot, "config.json"));
  const outside = await run(["check", ID, "--tokenizer", snapshotOf(cache, GPT2)]);
  const { ok, code, file } = JSON.parse(outside.stdout);
  // Deno itself lets the process see nothing there.
  assertEquals({ ok, file }, { ok: false, file: "config.json" });
  assert(["outside_directory", "unreadable_file"].includes(code), code);
});

hubTest(
  "pull says which host it may not be redirected to, and keeps to the others",
  async (hub) => {
    const { server: { storageHost, storageRequests }, run } = hub;
    const { status, stdout, stderr } = await run(["pull", ID]);
    assertEquals([status, stdout, storageRequests.length], [1, "", 0]);
    assertStringIncludes(stderr, `--redirect-host ${storageHost} adds it`);
  },
);

hubTest("pull offline gives what the cache has, or says what it lacks", async (hub) => {
  const { server, cache, model, run } = hub;
  const offline = { HF_HUB_OFFLINE: "1" };
  const lacking = await run(["pull", ID], offline);
  assertEquals(lacking.status, 1);
  assertStringIncludes(
    lacking.stderr,
    `Cannot pull "${ID}": HF_HUB_OFFLINE is set, and "${cache}"`,
  );
  const snapshot = cacheWithLinks(cache, { id: ID, model });
  cacheWithLinks(cache, { id: GPT2, model });
  const { status, stdout } = await run(["pull", ID], offline);
  assertEquals([status, stdout, server.requests.length], [0, `${snapshot}\n`, 0]);
});

hubTest("serve says how to get a model that is neither here nor in the cache", async (hub) => {
  const { status, stderr } = await hub.run(["serve", "--model", `${ID}@v1`]);
  assertEquals(status, 2);
  assertEquals(
    stderr,
    `Cannot find "${ID}@v1": it is no directory here, and no model in "${hub.cache}"; ` +
      `get it with: deno task pull ${ID}@v1\n`,
  );
});

hubTest("pull refuses what is no model's id, and hubs that are none", async ({ run }) => {
  const { status, stderr } = await run(["pull", basename(ID)]);
  assertEquals([status, stderr], [
    2,
    'Cannot pull "bd3lm-tiny": expected one model, ORGANISATION/NAME\n',
  ]);
  const endpoint = await run(["pull", ID], { HF_ENDPOINT: "ftp://hub" });
  assertEquals(endpoint.status, 2);
  assertStringIncludes(endpoint.stderr, 'Cannot read HF_ENDPOINT: value is "ftp://hub"');
  const help = await run(["pull", "--help"]);
  assertEquals(help.status, 0);
  assertStringIncludes(help.stdout, "--revision REVISION");
});
