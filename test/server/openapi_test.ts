import { Validator } from "@seriousme/openapi-schema-validator";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { errorOf, testApp } from "./support.ts";
import { DOCUMENT, NOT_SERVED, OPERATIONS } from "./openapi/api.ts";

/** Every code of the contract, section 2, with its status. */
const CODES: Readonly<Record<string, number>> = {
  invalid_json: 400,
  invalid_utf8: 400,
  missing_required_parameter: 400,
  invalid_type: 400,
  invalid_value: 400,
  invalid_unicode: 400,
  unknown_parameter: 400,
  unsupported_parameter: 400,
  incompatible_parameters: 400,
  token_out_of_range: 400,
  context_length_exceeded: 400,
  chat_not_supported: 400,
  invalid_last_event_id: 400,
  missing_api_key: 401,
  invalid_api_key: 401,
  host_not_allowed: 403,
  origin_not_allowed: 403,
  route_not_found: 404,
  model_not_found: 404,
  generation_not_found: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  request_too_large: 413,
  uri_too_long: 414,
  unsupported_media_type: 415,
  unsupported_content_encoding: 415,
  queue_full: 429,
  internal_error: 500,
  model_loading: 503,
  draining: 503,
  device_lost: 503,
  generation_timeout: 504,
};

/** Codes of requests that are for no operation at all. */
const OF_NO_OPERATION = ["route_not_found", "method_not_allowed"];

Deno.test("GET /openapi.json is the document, for those with a key", async () => {
  const { send } = testApp({ settings: { apiKeys: ["secret"] }, version: "1.2.3" });
  assertEquals((await errorOf(await send("/openapi.json"))).code, "missing_api_key");
  const response = await send("/openapi.json", { headers: { authorization: "Bearer secret" } });
  assertEquals(response.status, 200);
  assertEquals(response.headers.get("content-type"), "application/json; charset=utf-8");
  assertEquals(await response.json(), DOCUMENT);
});

Deno.test("the document is valid OpenAPI 3.1, and of this version of the software", async () => {
  const { valid, errors } = await new Validator().validate(structuredClone(DOCUMENT));
  assertEquals([valid, errors], [true, undefined]);
  assertMatch(DOCUMENT.openapi, /^3\.1\.\d+$/);
  assertEquals(DOCUMENT.info.version, "1.2.3");
});

Deno.test("every reference leads somewhere, and every component is referred to", () => {
  const references = new Set(
    JSON.stringify(DOCUMENT).matchAll(/"\$ref":"([^"]+)"/g).map(([, reference]) => reference!),
  );
  const components = Object.entries<object>(DOCUMENT.components)
    .filter(([kind]) => kind !== "securitySchemes")
    .flatMap(([kind, named]) => Object.keys(named).map((name) => `#/components/${kind}/${name}`));
  assertEquals([...references].sort(), components.sort());
});

Deno.test("what the app serves is documented with its methods, and nothing else", async () => {
  const { app, send } = testApp();
  const paths = new Set(app.routes.map(({ path }) => path).filter((path) => path !== "/*"));
  const served: string[] = [];
  for (const path of paths) {
    // No route has this method: the refusal names those that it has.
    const refusal = await send(path, { method: "PROPFIND" });
    assertEquals(refusal.status, 405);
    const methods = refusal.headers.get("allow")!.split(", ").filter((each) => each !== "HEAD");
    served.push(...methods.map((method) => `${method} ${path.replace(/:(\w+)/g, "{$1}")}`));
  }
  assert(served.length > 8, `${served.length} operations are served`);
  const documented = OPERATIONS.filter(({ path }) => !NOT_SERVED.includes(path));
  assertEquals(documented.map(({ name }) => name).sort(), served.sort());
});

Deno.test("what is documented before it is served is not served", async () => {
  const { send } = testApp();
  for (const path of NOT_SERVED) {
    assertEquals((await errorOf(await send(path))).code, "route_not_found");
    assert(OPERATIONS.some((each) => each.path === path), `${path} is not documented`);
  }
});

Deno.test("every error code is documented, with its status, where it may happen", () => {
  const { code } = DOCUMENT.components.schemas.Error.properties.error.properties;
  assertEquals(code.enum.toSorted(), Object.keys(CODES).sort());
  const found = new Map<string, Set<string>>();
  for (const { responses } of OPERATIONS) {
    for (const [status, { content }] of Object.entries(responses)) {
      const narrowed = content?.["application/json"]?.schema.allOf?.[1];
      for (const each of narrowed?.properties.error.properties.code.enum ?? []) {
        found.set(each, (found.get(each) ?? new Set()).add(status));
      }
    }
  }
  for (const [each, status] of Object.entries(CODES)) {
    assert(DOCUMENT.info.description.includes(`- \`${each}\` (${status}): `), each);
    if (OF_NO_OPERATION.includes(each)) continue;
    assertEquals([each, ...found.get(each) ?? []], [each, String(status)]);
  }
});

Deno.test("every operation, parameter, response and field says what it is", () => {
  const silent: string[] = [];
  for (const { name, parameters, responses } of OPERATIONS) {
    const described = [...parameters, ...Object.values(responses)];
    if (described.some(({ description }) => !description)) silent.push(name);
  }
  for (const [name, schema] of Object.entries(DOCUMENT.components.schemas)) {
    silent.push(...undescribed(schema, name));
  }
  assertEquals(silent, []);
  assertEquals(JSON.stringify(DOCUMENT).match(/undefined|\[object/g), null);
});

// deno-lint-ignore no-explicit-any -- a JSON Schema, looked at as it is
function undescribed(schema: any, path: string): string[] {
  if (schema.$ref !== undefined) return [];
  const fields = Object.entries(schema.properties ?? {})
    // deno-lint-ignore no-explicit-any -- as above
    .flatMap(([name, field]: [string, any]) => {
      const inner = undescribed(field, `${path}.${name}`);
      const isSilent = field.description === undefined && field.$ref === undefined;
      return isSilent ? [`${path}.${name}`, ...inner] : inner;
    });
  const parts = [...schema.anyOf ?? [], ...schema.items === undefined ? [] : [schema.items]];
  return [...fields, ...parts.flatMap((each, i) => undescribed(each, `${path}[${i}]`))];
}

Deno.test("integers have no bounds that nobody asked for", () => {
  const text = JSON.stringify(DOCUMENT.components.schemas);
  const bounded = text.matchAll(/"(\w+)":\{[^{}]*9007199254740991[^{}]*\}/g);
  assertEquals([...new Set(bounded.map(([, name]) => name))], ["seed"]);
});
