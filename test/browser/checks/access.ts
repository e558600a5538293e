import { assert, assertEquals } from "@std/assert";
import axe from "axe-core";
import { type Bench, Tab } from "../bench.ts";
import { backgroundOf, focused, overflow, runAxe } from "../in_page.js";

/** axe-core finds nothing wrong, in light and dark, at rest and at work. */
export async function checkAxe(bench: Bench): Promise<void> {
  for (const [colorScheme, colour] of [["light", "confidence"], ["dark", "step"]] as const) {
    await using tab = await Tab.open(bench, bench.slowServer.address, { colorScheme });
    const { page } = tab;
    await page.getByLabel("API key").waitFor();
    if (colorScheme === "dark") await assertAccessible(tab, "the key");
    await tab.unlock();
    await page.getByRole("button", { name: "Explain options" }).first().click();
    await page.getByRole("checkbox", { name: "keep colours" }).first().check();
    await page.getByRole("radio", { name: colour }).first().check();
    await page.locator("#prompt").press("Control+Enter");
    // A finished block with its colours, and masks: the steps of this server are slow.
    await page.locator("#generate .block").first().waitFor();
    await page.locator("#generate .current .token").first().waitFor();
    await assertAccessible(tab, `${colorScheme}, at work`);
    await page.keyboard.press("Escape");
    await tab.says("#generate .status", /stopped$/);
    await page.getByRole("tab", { name: "Compare" }).click();
    if (colorScheme === "light") await assertAccessible(tab, "compare");
  }
}

/** Checks with axe-core what the tab shows now. */
export async function assertAccessible({ page }: Tab, state: string): Promise<void> {
  await page.evaluate(axe.source);
  const { found, rules } = await page.evaluate(runAxe);
  assertEquals([state, ...found], [state]);
  assert(rules > 15, `axe-core looked at ${rules} rules only`);
}

/** Everything can be reached and done with the keyboard alone. */
export async function checkKeyboard(bench: Bench): Promise<void> {
  await using tab = await Tab.open(bench, bench.server.address);
  await tab.ready();
  const { page } = tab;
  const reached = new Set<string>();
  for (let i = 0; i < 60; i++) {
    await page.keyboard.press("Tab");
    reached.add(await page.evaluate(focused));
  }
  const names = ["tab-generate", "theme", "prompt", "primary", "stop", "text"];
  const options = ["strategy", "block_size", "max_tokens", "temperature", "top_p", "top_k", "seed"];
  const expected = [...names, ...options.map((name) => `generate-${name}`), "quiet"];
  assertEquals(expected.filter((name) => !reached.has(name)), []);
  // A generation from the prompt, and another mode by an arrow.
  await page.locator("#tab-generate").focus();
  await page.keyboard.press("ArrowRight");
  assertEquals(await page.locator("#tab-compare").getAttribute("aria-selected"), "true");
  assertEquals(await page.locator("#generate").isVisible(), false);
  await page.keyboard.press("Home");
  await page.locator("#generate-max_tokens").focus();
  await page.keyboard.type("8");
  await page.keyboard.press("Enter");
  await tab.says("#generate .status", /^8 tokens/);
}

/** A phone's width is enough, and dark is dark, by the system's choice or the page's button. */
export async function checkLooks(bench: Bench): Promise<void> {
  const viewport = { width: 360, height: 740 };
  await using tab = await Tab.open(bench, bench.server.address, { viewport, colorScheme: "dark" });
  await tab.ready();
  const { page } = tab;
  await tab.unfold("#generate .options");
  await tab.unfold("#generate .fields details");
  await page.locator("#prompt").fill("a-word-without-a-break".repeat(20));
  await page.locator("#generate-max_tokens").fill("40");
  await page.locator("#generate .primary").click();
  await tab.says("#generate .status", /^40 tokens/);
  assertEquals(await page.evaluate(overflow), 0);
  await page.getByRole("tab", { name: "Compare" }).click();
  assertEquals(await page.evaluate(overflow), 0);
  const lightness = async () => {
    const colour = await page.locator("body").evaluate(backgroundOf);
    return Number(/\d+/.exec(colour)![0]);
  };
  assert(await lightness() < 64, "dark by the system");
  await page.getByRole("button", { name: "Light" }).click();
  assert(await lightness() > 192, "light by the button");
}
