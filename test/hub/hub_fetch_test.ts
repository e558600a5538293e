import { assertEquals, assertRejects } from "@std/assert";
import { HubError } from "../../src/hub/errors.ts";
import { hubFetch } from "../../src/hub/hub_fetch.ts";

const HUB = { endpoint: "https://hub.test", token: null, silenceMs: 60_000 };

function redirect(location: string): Promise<Response> {
  return Promise.resolve(new Response(null, { status: 302, headers: { location } }));
}

Deno.test("hubFetch() gives up on a hub that does not answer, and ends the request", async () => {
  let signal: AbortSignal | null | undefined;
  const fetch = hubFetch({
    ...HUB,
    silenceMs: 50,
    fetch: (_, init) => {
      signal = init?.signal;
      return new Promise(() => {});
    },
  });
  const error = await assertRejects(() => fetch(HUB.endpoint), HubError, "nothing came for 0.05 s");
  assertEquals([error.isTransient, signal?.aborted], [true, true]);
});

Deno.test("hubFetch() refuses to go on without encryption", async () => {
  const asked: string[] = [];
  const fetch = hubFetch({
    ...HUB,
    fetch: (input) => {
      asked.push(String(input));
      return redirect("http://storage.test/file");
    },
  });
  await assertRejects(() => fetch(`${HUB.endpoint}/file`), HubError, "which is not encrypted");
  assertEquals(asked, ["https://hub.test/file"]);
});

Deno.test("hubFetch() refuses redirects without an end", async () => {
  const fetch = hubFetch({ ...HUB, fetch: () => redirect("/again") });
  await assertRejects(() => fetch(HUB.endpoint), HubError, "hub.test redirects more than 8 times");
});
