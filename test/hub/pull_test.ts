import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { CachedModel } from "../../src/hub/cache.ts";
import { HubError } from "../../src/hub/errors.ts";
import { modelFiles } from "../../src/hub/hub_file.ts";
import { MAIN } from "../../src/hub/hub_model.ts";
import { pull } from "../../src/hub/pull.ts";
import { checksumOf, HubServer } from "../support/hub_server.ts";

const ID = "org/model";
const WEIGHTS = Uint8Array.from({ length: 300_000 }, (_, i) => i * 7919 >> 3);
const FILES = {
  ".gitattributes": "*.safetensors filter=lfs\n",
  "README.md": "# A model\n",
  "config.json": '{"model_type":"bd3lm"}\n',
  "model.safetensors": WEIGHTS,
  "modeling_bd3lm.py": "print('never run')\n",
  "onnx/model.onnx": "",
  "pytorch_model.bin": "pickled",
  "tokenizer.json": "{}",
};
const BLOB = checksumOf("model.safetensors", WEIGHTS);

interface Hub {
  readonly server: HubServer;
  readonly cache: string;
  /** Milliseconds that were to be waited. */
  readonly delays: number[];
  readonly progress: Map<string, number>;
  readonly pull: (options?: { id?: string; revision?: string; token?: string }) => Promise<string>;
}

/** A test with a hub of one model and an empty cache. */
function hubTest(name: string, use: (hub: Hub) => Promise<void>, repository = {}): void {
  Deno.test(name, async () => {
    await using server = new HubServer({ id: ID, files: FILES, ...repository });
    const cache = await Deno.makeTempDir();
    const delays: number[] = [];
    const progress = new Map<string, number>();
    try {
      await use({
        ...{ server, cache, delays, progress },
        pull: ({ id = ID, revision = MAIN, token } = {}) =>
          pull({ id, revision }, {
            cache,
            access: { endpoint: server.endpoint, token: token ?? null, fetch, silenceMs: 60_000 },
            choose: modelFiles,
            onProgress: (file, bytes) => progress.set(file.name, bytes),
            delay: (ms) => Promise.resolve(void delays.push(ms)),
          }),
      });
    } finally {
      await Deno.remove(cache, { recursive: true });
    }
  });
}

function namesIn(path: string): string[] {
  return Array.from(Deno.readDirSync(path), ({ name }) => name).sort();
}

hubTest("pull() lays the files that a server reads out as hub clients do", async (hub) => {
  const snapshot = await hub.pull();
  const folder = join(hub.cache, "models--org--model");
  assertEquals(snapshot, join(folder, "snapshots", HubServer.COMMIT));
  assertEquals(namesIn(snapshot), ["config.json", "model.safetensors", "tokenizer.json"]);
  assertEquals(await Deno.readFile(join(snapshot, "model.safetensors")), WEIGHTS);
  assertEquals(await Deno.readTextFile(join(snapshot, "config.json")), FILES["config.json"]);
  assertEquals(await Deno.readTextFile(join(folder, "refs", "main")), HubServer.COMMIT);
  // Of "{}", as `git hash-object` has it.
  const emptyObject = "9e26dfeeb6e641a33dae4961196235bdb965b21b";
  assert(namesIn(join(folder, "blobs")).includes(emptyObject));
  assert(namesIn(join(folder, "blobs")).includes(BLOB));
  assertEquals(new CachedModel(hub.cache, { id: ID, revision: "main" }).find(), snapshot);
  assertEquals(hub.progress.get("model.safetensors"), WEIGHTS.length);
});

hubTest("pull() gets a file once, and nothing the second time", async (hub) => {
  await hub.pull();
  const before = hub.server.storageRequests.length;
  assertEquals(await hub.pull(), await hub.pull({ revision: HubServer.COMMIT }));
  assertEquals([before, hub.server.storageRequests.length], [1, 1]);
});

hubTest("pull() goes on after a cut where it was cut", async (hub) => {
  hub.server.faults["model.safetensors"] = { cuts: [100_000, 50_000] };
  const snapshot = await hub.pull();
  assertEquals(await Deno.readFile(join(snapshot, "model.safetensors")), WEIGHTS);
  const ranges = hub.server.storageRequests.map(({ range }) => range);
  assertEquals(ranges, [null, "bytes=100000-", "bytes=150000-"]);
  assertEquals(hub.delays, [1000, 1000]);
});

hubTest("pull() begins anew with a hub that ignores ranges", async (hub) => {
  hub.server.faults["model.safetensors"] = { cuts: [100_000], ignoresRanges: true };
  const snapshot = await hub.pull();
  assertEquals(await Deno.readFile(join(snapshot, "model.safetensors")), WEIGHTS);
});

hubTest("pull() gives up where nothing comes any more, and another goes on", async (hub) => {
  hub.server.faults["model.safetensors"] = { cuts: [100_000, 0, 0, 0, 0, 0, 0, 0, 0] };
  const error = await assertRejects(() => hub.pull(), HubError);
  assertStringIncludes(error.message, '"model.safetensors" stopped after 100000 of 300000 bytes');
  assertEquals(hub.delays, [1000, 2000, 4000, 8000]);
  const cached = new CachedModel(hub.cache, { id: ID, revision: "main" });
  assertEquals(cached.find(), null);
  hub.server.faults["model.safetensors"] = {};
  const snapshot = await hub.pull();
  assertEquals(hub.server.storageRequests.at(-1)!.range, "bytes=100000-");
  assertEquals(await Deno.readFile(join(snapshot, "model.safetensors")), WEIGHTS);
});

hubTest("pull() refuses content with another checksum, and keeps none of it", async (hub) => {
  hub.server.faults["model.safetensors"] = { content: WEIGHTS.toReversed() };
  await assertRejects(
    () => hub.pull(),
    HubError,
    `Cannot pull "org/model": "model.safetensors" has checksum ${
      checksumOf("model.safetensors", WEIGHTS.toReversed())
    }, expected ${BLOB}; it was removed`,
  );
  const blobs = namesIn(join(hub.cache, "models--org--model", "blobs"));
  assertEquals(blobs.filter((name) => name.startsWith(BLOB)), []);
  assertEquals(new CachedModel(hub.cache, { id: ID, revision: "main" }).find(), null);
  hub.server.faults["model.safetensors"] = {};
  await hub.pull();
});

hubTest("pull() checks the small files too", async (hub) => {
  hub.server.faults["config.json"] = {
    content: new TextEncoder().encode('{"model_type":"evil1"}\n'),
  };
  await assertRejects(() => hub.pull(), HubError, '"config.json" has checksum');
});

hubTest("pull() stops at a file that is longer than listed", async (hub) => {
  hub.server.faults["tokenizer.json"] = { content: new Uint8Array(1000) };
  await assertRejects(() => hub.pull(), HubError, '"tokenizer.json" is longer than the 2 bytes');
});

hubTest("pull() tries again while the hub is overloaded", async (hub) => {
  hub.server.faults["config.json"] = { status: 503 };
  await assertRejects(() => hub.pull(), HubError, "the hub failed (status 503 of");
  assertEquals(hub.delays, [1000, 2000, 4000, 8000]);
});

hubTest("pull() says that a model does not exist or wants a token", async (hub) => {
  await assertRejects(
    () => hub.pull({ id: "org/other" }),
    HubError,
    'Cannot pull "org/other": it does not exist, or only for those who may see it; HF_TOKEN says ' +
      `who asks (status 401 of ${hub.server.endpoint})`,
  );
});

hubTest("pull() says that there is no such revision", async (hub) => {
  await assertRejects(
    () => hub.pull({ revision: "v2" }),
    HubError,
    'Cannot pull "org/model@v2": it has no such revision (status 404',
  );
});

hubTest("pull() sends the token to the hub, and not where that redirects to", async (hub) => {
  await assertRejects(() => hub.pull(), HubError, "HF_TOKEN says who asks");
  const wrong = () => hub.pull({ token: "another" });
  await assertRejects(wrong, HubError, "the hub does not accept the token in HF_TOKEN (status 401");
  await hub.pull({ token: HubServer.TOKEN });
  assertEquals(hub.server.requests.at(-1)!.authorization, `Bearer ${HubServer.TOKEN}`);
  assertEquals(hub.server.storageRequests.map(({ authorization }) => authorization), [null]);
}, { isPrivate: true });

hubTest("pull() refuses a model without safetensors", async (hub) => {
  await assertRejects(() => hub.pull(), HubError, 'it has no "model.safetensors", and weights of');
}, { files: { "config.json": "{}", "pytorch_model.bin": "pickled" } });

hubTest("pull() gets all shards that there are", async (hub) => {
  assertEquals(namesIn(await hub.pull()), [
    "config.json",
    "model-00001-of-00002.safetensors",
    "model-00002-of-00002.safetensors",
    "model.safetensors.index.json",
  ]);
}, {
  files: {
    "config.json": "{}",
    "model-00001-of-00002.safetensors": "one",
    "model-00002-of-00002.safetensors": "two",
    "model.safetensors.index.json": "{}",
  },
});

hubTest("pull() of the same model twice at a time gets each file once", async (hub) => {
  hub.server.faults["model.safetensors"] = { cuts: [100_000] };
  const [one, other] = await Promise.all([hub.pull(), hub.pull()]);
  assertEquals(one, other);
  assertEquals(await Deno.readFile(join(one, "model.safetensors")), WEIGHTS);
  assertEquals(hub.server.storageRequests.length, 2);
  const blobs = namesIn(join(hub.cache, "models--org--model", "blobs"));
  assertEquals(blobs.filter((name) => name.endsWith(".incomplete")), []);
});

hubTest("pull() takes over what a Python client left in the cache", async (hub) => {
  const blobs = join(hub.cache, "models--org--model", "blobs");
  await Deno.mkdir(blobs, { recursive: true });
  await Deno.writeFile(join(blobs, `${BLOB}.incomplete`), WEIGHTS.slice(0, 123_456));
  await hub.pull();
  assertEquals(hub.server.storageRequests.map(({ range }) => range), ["bytes=123456-"]);
});

Deno.test("pull() without a network says so", async () => {
  // A port that nobody listens on any more.
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const endpoint = `http://127.0.0.1:${listener.addr.port}`;
  listener.close();
  await assertRejects(
    () =>
      pull({ id: ID, revision: MAIN }, {
        cache: "/nonexistent",
        access: { endpoint, token: null, fetch, silenceMs: 60_000 },
        choose: modelFiles,
      }),
    HubError,
    `Cannot pull "org/model": ${endpoint} cannot be reached (`,
  );
});

hubTest("pull() gives up on a hub that says nothing any more", async (hub) => {
  hub.server.faults["model.safetensors"] = { isSilent: true };
  await assertRejects(
    () =>
      pull({ id: ID, revision: MAIN }, {
        cache: hub.cache,
        access: { endpoint: hub.server.endpoint, token: null, fetch, silenceMs: 200 },
        choose: modelFiles,
        delay: () => Promise.resolve(),
      }),
    HubError,
    "nothing came for 0.2 s",
  );
});

hubTest(
  "pull() gets a tokenizer in several files where there is none in one",
  async (hub) => {
    const snapshot = await hub.pull();
    assertEquals(namesIn(snapshot), [
      ...["added_tokens.json", "config.json", "merges.txt", "model.safetensors"],
      ...["tokenizer_config.json", "vocab.json"],
    ]);
  },
  {
    files: {
      "added_tokens.json": "{}",
      "config.json": FILES["config.json"],
      "merges.txt": "#version: 0.2\n",
      "model.safetensors": WEIGHTS,
      "special_tokens_map.json": "{}",
      "tokenizer_config.json": "{}",
      "vocab.json": "{}",
    },
  },
);

hubTest(
  "pull() leaves the files of a tokenizer alone that is in one file as well",
  async (hub) => {
    assertEquals(namesIn(await hub.pull()), ["config.json", "model.safetensors", "tokenizer.json"]);
  },
  { files: { ...FILES, "vocab.json": "{}", "merges.txt": "" } },
);
