import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { joinModules, joinPage } from "../../src/server/page.ts";

const PAGE = '<link rel="stylesheet" href="a.css"><script type="module" src="b.js"></script>';
const PARTS = { styles: { "a.css": "p{}" }, scripts: { "b.js": 'f("$&")' } };

Deno.test("joinPage() puts styles and scripts where the page names them", async () => {
  const { html } = await joinPage(PAGE, PARTS);
  assertEquals(html, '<style>p{}</style><script type="module">f("$&")</script>');
});

Deno.test("joinPage() allows these very styles and scripts, and nothing from elsewhere", async () => {
  const { policy } = await joinPage(PAGE, PARTS);
  const directives = policy.split("; ");
  assertEquals(directives.includes("default-src 'none'"), true);
  assertEquals(directives.includes("connect-src 'self'"), true);
  // printf 'p{}' | openssl dgst -sha256 -binary | base64, and the same of f("$&").
  const style = "gG2yISYereRMiG2lMXrbiUgi0Ubw9p7QCeWcroOvy9Y=";
  const script = "RwCsgfxO2cmrfsYVCyHdLpVZ0aWvyBj1T+rE3hWguEo=";
  assertEquals(directives.filter((each) => each.startsWith("style-src")), [
    `style-src 'sha256-${style}'`,
  ]);
  assertEquals(directives.filter((each) => each.startsWith("script-src")), [
    `script-src 'sha256-${script}'`,
  ]);
  for (const loose of ["unsafe", "*", "http", "self' "]) {
    assertEquals(policy.includes(loose), false);
  }
});

for (
  const [problem, page] of [
    ["a part that it does not name", PAGE.replace("a.css", "c.css")],
    ["a part that it names twice", PAGE + PAGE],
    ["a file that is no part", `${PAGE}<script type="module" src="c.js"></script>`],
  ] as const
) {
  Deno.test(`joinPage() throws for ${problem}`, async () => {
    await assertRejects(() => joinPage(page, PARTS), TypeError, "Cannot join the page");
  });
}

Deno.test("joinModules() makes one program of modules that import each other", () => {
  const joined = joinModules([
    "export const one = 1;\nexport class Kept {}\n",
    'import { one } from "./one.js";\nimport {\n  Kept,\n} from "./one.js";\n' +
    "export async function two() {\n  return [one + 1, new Kept()];\n}\n",
    'import { two } from "./two.js";\nglobalThis.out = two();\n',
  ]);
  assertEquals(/\b(import|export)\b/.test(joined), false);
  const scope = { out: undefined };
  new Function("globalThis", joined)(scope);
  assertEquals(typeof scope.out, "object");
  assertStringIncludes(joined, "class Kept");
});

for (
  const line of [
    'import x from "./x.js";',
    'import { x } from "npm:x";',
    'import { x } from "../x.js";',
    "export default 1;",
    "export { x };",
  ]
) {
  Deno.test(`joinModules() throws for ${line}`, () => {
    assertThrows(() => joinModules([`const x = 1;\n${line}\n`]), TypeError, "Cannot join modules");
  });
}
