import { assert, assertEquals } from "@std/assert";
import { ROOT } from "../support/process.ts";
import { testApp } from "./support.ts";

async function loadPage() {
  const response = await testApp().send("/");
  return { response, html: await response.text() };
}

Deno.test("GET / is one page that is complete in itself", async () => {
  const { response, html } = await loadPage();
  assertEquals(response.status, 200);
  assertEquals(response.headers.get("content-type"), "text/html; charset=utf-8");
  assert(html.startsWith("<!DOCTYPE html>"));
  // Everything that a browser would fetch by itself: nothing but the icon, which is at hand.
  const sources = [...html.matchAll(/<(?:link|script|img|iframe|source)\b[^>]*>/g)]
    .flatMap(([tag]) => [...tag.matchAll(/\s(?:src|href)="([^"]*)"/g)].map(([, value]) => value!));
  assertEquals(sources.filter((each) => !each.startsWith("data:")), []);
  assertEquals(/@import|url\(/.test(html), false);
  assertEquals(/\bstyle=|\son[a-z]+=/.test(html), false);
});

Deno.test("GET / allows the page nothing from elsewhere", async () => {
  const { response, html } = await loadPage();
  const policy = response.headers.get("content-security-policy")!;
  const directives = new Map(
    policy.split("; ").map((each) => [each.split(" ")[0]!, each.split(" ").slice(1)]),
  );
  assertEquals(directives.get("default-src"), ["'none'"]);
  assertEquals(directives.get("connect-src"), ["'self'"]);
  assertEquals(directives.get("img-src"), ["data:"]);
  for (const each of ["base-uri", "form-action", "frame-ancestors"]) {
    assertEquals(directives.get(each), ["'none'"]);
  }
  const inline = async (tag: string) =>
    await Promise.all(
      [...html.matchAll(new RegExp(`<${tag}\\b[^>]*>([^]*?)</${tag}>`, "g"))]
        .map(async ([, text]) => {
          const bytes = new TextEncoder().encode(text);
          const digest = await crypto.subtle.digest("SHA-256", bytes);
          return `'sha256-${new Uint8Array(digest).toBase64()}'`;
        }),
    );
  assertEquals(directives.get("script-src"), await inline("script"));
  assertEquals(directives.get("style-src"), await inline("style"));
});

Deno.test("GET / has every module that belongs to it, and they are one program", async () => {
  const { html } = await loadPage();
  const [, program = ""] = /<script type="module">([^]*)<\/script>/.exec(html) ?? [];
  // Compiled, not run: a name that is there twice is a SyntaxError.
  new Function(`return async () => {${program}}`);
  for (const { name } of Deno.readDirSync(`${ROOT}src/server/playground`)) {
    if (!/\.(js|css)$/.test(name)) continue;
    const text = Deno.readTextFileSync(`${ROOT}src/server/playground/${name}`);
    const [line = ""] = text.split("\n").filter((each) => /^(export )?\S.*\{$/.test(each));
    assert(line !== "" && html.includes(line.replace("export ", "")), `${name} is missing`);
  }
});

Deno.test("HEAD / has the headers of the page alone", async () => {
  const { headers, status } = await testApp().send("/", { method: "HEAD" });
  assertEquals([status, headers.has("content-security-policy")], [200, true]);
});
