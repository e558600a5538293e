import { assertEquals, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { CachedModel, findCache } from "../../src/hub/cache.ts";
import { HubError } from "../../src/hub/errors.ts";
import { withTempDir } from "../support/temp_dir.ts";

const COMMIT = "0123456789abcdef0123456789abcdef01234567";

for (
  const [expected, environment] of [
    ["/home/me/.cache/huggingface/hub", { HOME: "/home/me" }],
    ["/xdg/huggingface/hub", { HOME: "/home/me", XDG_CACHE_HOME: "/xdg" }],
    ["/hf/hub", { HOME: "/home/me", XDG_CACHE_HOME: "/xdg", HF_HOME: "/hf" }],
    ["/old", { HOME: "/home/me", HF_HOME: "/hf", HUGGINGFACE_HUB_CACHE: "/old" }],
    ["/new", { HF_HOME: "/hf", HUGGINGFACE_HUB_CACHE: "/old", HF_HUB_CACHE: "/new" }],
  ] as const
) {
  Deno.test(`findCache() is ${expected} for ${Object.keys(environment)}`, () => {
    assertEquals(findCache(environment), expected);
  });
}

Deno.test("findCache() throws without a home directory", () => {
  assertThrows(() => findCache({}), HubError, "HOME is unset");
});

Deno.test("CachedModel.find() follows a branch, and takes a commit as it is", () => {
  withTempDir((cache) => {
    const folder = join(cache, "models--org--name");
    const snapshot = join(folder, "snapshots", COMMIT);
    const find = (revision: string) => new CachedModel(cache, { id: "org/name", revision }).find();
    assertEquals([find("main"), find(COMMIT)], [null, null]);
    Deno.mkdirSync(snapshot, { recursive: true });
    Deno.mkdirSync(join(folder, "refs", "refs", "pr"), { recursive: true });
    Deno.writeTextFileSync(join(folder, "refs", "main"), `${COMMIT}\n`);
    Deno.writeTextFileSync(join(folder, "refs", "refs", "pr", "1"), COMMIT);
    Deno.writeTextFileSync(join(folder, "refs", "evil"), "../../../../etc");
    assertEquals(["main", "refs/pr/1", COMMIT].map(find), [snapshot, snapshot, snapshot]);
    assertEquals(["v1", "evil", "refs/pr"].map(find), [null, null, null]);
  });
});

Deno.test("CachedModel.publish() replaces a link whose blob was deleted", () => {
  withTempDir((cache) => {
    const model = new CachedModel(cache, { id: "org/name", revision: "main" });
    Deno.mkdirSync(model.blobs, { recursive: true });
    Deno.writeTextFileSync(join(model.blobs, "b"), "content");
    const snapshot = join(cache, "models--org--name", "snapshots", COMMIT);
    Deno.mkdirSync(snapshot, { recursive: true });
    Deno.symlinkSync("../../blobs/a", join(snapshot, "config.json"));
    assertEquals(model.publish(COMMIT, new Map([["config.json", "b"]])), snapshot);
    assertEquals(Deno.readTextFileSync(join(snapshot, "config.json")), "content");
  });
});
