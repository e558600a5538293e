import { assertEquals } from "@std/assert";
import { runTool } from "../support/deploy_tool.ts";
import { ROOT } from "../support/process.ts";

const CONFIG = ["--config", "deploy/Caddyfile", "--adapter", "caddyfile"];

interface Handler {
  readonly handler: string;
  readonly routes?: readonly Route[];
  readonly [key: string]: unknown;
}

interface Route {
  readonly handle: readonly Handler[];
  readonly match?: unknown;
}

/** Handlers in the order in which requests come to them. */
function flatten(routes: readonly Route[]): (Handler & Pick<Route, "match">)[] {
  return routes.flatMap(({ handle, match }) =>
    handle.flatMap((each) => each.routes ? flatten(each.routes) : [{ ...each, match }])
  );
}

Deno.test("caddy finds its configuration sound, and as caddy itself would format it", async () => {
  const { status, stdout, stderr } = await runTool("caddy", ["validate", ...CONFIG]);
  assertEquals([status, stdout.trim()], [0, "Valid configuration"], stderr);
  const formatted = await runTool("caddy", ["fmt", "deploy/Caddyfile"]);
  assertEquals(formatted.stdout, await Deno.readTextFile(`${ROOT}deploy/Caddyfile`));
});

Deno.test("caddy refuses metrics, and lets streams through as they come", async () => {
  const { stdout } = await runTool("caddy", ["adapt", ...CONFIG]);
  const { apps: { http: { servers: { srv0: server } } } } = JSON.parse(stdout);
  const [body, refusal, proxy, ...others] = flatten(server.routes);
  assertEquals([body?.handler, others], ["request_body", []]);
  assertEquals([refusal?.status_code, refusal?.match], [403, [{ path: ["/metrics"] }]]);
  assertEquals([proxy?.handler, proxy?.flush_interval], ["reverse_proxy", -1]);
});
