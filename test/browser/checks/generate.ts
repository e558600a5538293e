import { assert, assertEquals } from "@std/assert";
import { type Bench, copyOf, Tab } from "../bench.ts";
import { backgroundOf, watched, watchText } from "../in_page.js";

const PROMPT = "An owl asked:\nwho? who? ";

/** What was seen of the text. */
interface Watched {
  /** After every change: finished blocks, places of the current one, those that are masked. */
  readonly sights: readonly {
    readonly blocks: number;
    readonly places: number;
    readonly masks: number;
  }[];
  readonly colours: readonly string[];
}

/** Options are the live schema's and the model's; what was not changed is not sent. */
export async function checkOptions(bench: Bench): Promise<void> {
  await using tab = await Tab.open(bench, bench.server.address);
  await tab.ready();
  const { page } = tab;
  const limits = async (name: string) => {
    const control = page.locator(`#generate-${name}`);
    return [await control.getAttribute("min"), await control.getAttribute("max")];
  };
  assertEquals(await limits("max_tokens"), ["1", "4096"]);
  assertEquals(await limits("temperature"), ["0", "2"]);
  assertEquals(await limits("top_k"), ["0", "259"]);
  assertEquals(await limits("seed"), ["0", "9007199254740991"]);
  const sizes = await page.locator("#generate-block_size option").allTextContents();
  assertEquals(sizes, ["1", "2", "4", "8", "16", "32"]);
  assertEquals(await page.locator("#generate-block_size").inputValue(), "4");
  // An option that another strategy takes comes with it.
  assertEquals(await page.locator("#generate-threshold").isVisible(), false);
  await page.locator("#generate-strategy").selectOption("low_confidence_dynamic");
  await page.locator("#generate-threshold").fill("0.7");
  await tab.says("#generate .call code", /"threshold":0\.7/);
  await page.locator("#generate-strategy").selectOption("first_hitting");
  assertEquals((await page.locator("#generate .call code").textContent())!.includes("0.7"), false);
  // The server has the last word, and says of which field.
  await page.locator("#generate-strategy").selectOption("entropy_bounded");
  const bound = page.locator("#generate-entropy_bound");
  await bound.fill("0");
  await page.locator("#generate .primary").click();
  await tab.says("#generate .alert", /^entropy_bound must be/);
  assertEquals(await bound.getAttribute("aria-invalid"), "true");
  // What the form waits for is not hidden, and what is hidden does not make it wait.
  await bound.fill("-1");
  await page.locator("#generate .options > summary").click();
  await page.locator("#generate .primary").click();
  await bound.waitFor();
  await page.locator("#generate-strategy").selectOption("first_hitting");
  await page.locator("#generate-max_tokens").fill("4");
  await page.locator("#generate .primary").click();
  await tab.says("#generate .status", /^4 tokens/);
  // What a field means is there to be read, on demand and by screen readers.
  const hint = page.locator("#generate-top_p-hint");
  assertEquals(await hint.isVisible(), false);
  await page.getByRole("button", { name: "Explain options" }).first().click();
  await tab.says("#generate-top_p-hint", /^Share of the probability to draw from/);
  assertEquals(
    await page.locator("#generate-top_p").getAttribute("aria-describedby"),
    [
      "generate-top_p-hint",
    ].join(),
  );
}

/** Another model has other limits, and requests name it. */
export async function checkModels(bench: Bench): Promise<void> {
  await using tab = await Tab.open(bench, bench.server.address);
  await tab.ready();
  const { page } = tab;
  assertEquals(await page.locator("#model").isDisabled(), true);
  await page.route("**/v1/models", async (route) => {
    const list = await (await route.fetch()).json();
    const other = { id: "other", context_length: 99, block_sizes: [2, 64], default_block_size: 2 };
    list.data.push({ ...list.data[0], ...other });
    await route.fulfill({ json: list });
  });
  await page.reload();
  await tab.ready();
  await page.locator("#model").selectOption("other");
  assertEquals(await page.locator("#generate-max_tokens").getAttribute("max"), "99");
  const sizes = await page.locator("#compare-0-block_size option").allTextContents();
  assertEquals(sizes, ["2", "64"]);
  await page.locator("#generate .primary").click();
  await tab.says("#generate .alert", /^The model "other" does not exist$/);
}

/** Masks of the current block turn into tokens, coloured, and blocks into text. */
export async function checkGenerate(bench: Bench): Promise<void> {
  await using tab = await Tab.open(bench, bench.server.address);
  await tab.ready();
  const { page } = tab;
  await page.locator("#prompt").fill(PROMPT);
  await page.locator("#generate-block_size").selectOption("8");
  await page.locator("#generate-max_tokens").fill("20");
  await page.evaluate(watchText);
  await page.locator("#generate .primary").click();
  await tab.says("#generate .status", /^20 tokens in 3 blocks .*: the length is reached$/);
  assertEquals(await tab.textOf("#generate"), copyOf(PROMPT, 20));
  assertEquals(await page.locator("#generate .text").textContent(), PROMPT + copyOf(PROMPT, 20));
  const { sights, colours } = await page.evaluate(watched) as Watched;
  for (const block of [0, 1, 2]) {
    const own = sights.filter((sight) => sight.blocks === block && sight.places > 0);
    const masks = own.map((sight) => sight.masks);
    assertEquals(new Set(own.map(({ places }) => places)), new Set([8]));
    assertEquals(masks, masks.toSorted((a, b) => b - a));
    assertEquals(masks.at(-1), 0);
    assert(new Set(masks).size > 4, masks.join());
  }
  // The test model is the more confident the further right, each in its step.
  const found = new Set(colours);
  assert(["0.125", "0.500", "1.000"].every((each) => found.has(each)), [...found].join());
  await checkPanel(tab);
}

async function checkPanel({ page }: Tab): Promise<void> {
  const figures = Object.fromEntries(
    await page.locator("#generate .panel dl > div").evaluateAll((rows) =>
      rows.map((row) => [...row.children].map((each) => each.textContent ?? ""))
    ),
  );
  // Four positions of the third block lie beyond the length, and were denoised all the same.
  assertEquals([figures.Tokens, figures.Passes, figures["Tokens per pass"]], ["20", "24", "0.83"]);
  assert(Number(figures["Tokens per second"]) > 0);
  assertEquals(await page.locator("#generate .panel rect").count(), 3);
  const label = await page.locator("#generate .panel svg").getAttribute("aria-label");
  assert(/^Chart of ms per block: mean [\d.]+, longest [\d.]+$/.test(label!), label!);
  // The call gives this very text: it has the seed. A click takes the seed for the next request.
  const seed = figures.Seed!;
  const code = page.locator("#generate .call code");
  assert((await code.textContent())!.includes(`"seed":${seed}`));
  await page.locator("#generate .panel button").click();
  assertEquals(await page.locator("#generate-seed").inputValue(), seed);
  await page.getByRole("radio", { name: "JavaScript" }).first().check();
  assert((await code.textContent())!.startsWith("const response = await fetch("));
}

/** Colours by step instead, and kept when a block is finished. */
export async function checkColours(bench: Bench): Promise<void> {
  await using tab = await Tab.open(bench, bench.server.address);
  await tab.ready();
  const { page } = tab;
  await page.locator("#generate-block_size").selectOption("16");
  await page.locator("#generate-max_tokens").fill("16");
  await page.locator("#generate-strategy").selectOption("sequential");
  await page.getByRole("checkbox", { name: "keep colours" }).first().check();
  await page.locator("#generate .primary").click();
  await tab.says("#generate .status", /16 tokens/);
  assertEquals(await tab.textOf("#generate"), "Once upon a time");
  const background = (at: "first" | "last") =>
    page.locator("#generate .block .token > span")[at]().evaluate(backgroundOf);
  const byConfidence = [await background("first"), await background("last")];
  await page.getByRole("radio", { name: "step" }).first().check();
  const byStep = [await background("first"), await background("last")];
  // Four ends of two scales.
  assertEquals(new Set([...byConfidence, ...byStep]).size, 4);
  await page.getByRole("checkbox", { name: "keep colours" }).first().uncheck();
  assertEquals(await page.locator("#generate .token").count(), 0);
  assertEquals(await tab.textOf("#generate"), "Once upon a time");
}

/** Stop ends the generation, by the button and by Escape; a refusal is told where it belongs. */
export async function checkStop(bench: Bench): Promise<void> {
  await using tab = await Tab.open(bench, bench.server.address);
  await tab.ready();
  const { page } = tab;
  const stop = page.locator("#generate .stop");
  await page.locator("#generate-max_tokens").fill("4000");
  for (const way of [() => stop.click(), () => page.keyboard.press("Escape")]) {
    await page.locator("#prompt").press("Control+Enter");
    await page.locator("#generate .block").nth(2).waitFor();
    await way();
    await tab.says("#generate .status", /: stopped$/);
    assertEquals(await page.locator("#generate .mask").count(), 0);
    assertEquals(await stop.getAttribute("aria-disabled"), "true");
    const text = await tab.textOf("#generate");
    assertEquals(text, copyOf("Once upon a time", text.length));
  }
  await page.locator("#generate-max_tokens").fill("4090");
  await page.locator("#generate .primary").click();
  await tab.says("#generate .alert", /context length is 4096 tokens/);
}
