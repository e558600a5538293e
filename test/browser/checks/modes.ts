import { assert, assertEquals } from "@std/assert";
import { API_KEY, type Bench, copyOf, Tab } from "../bench.ts";
import { assertAccessible } from "./access.ts";

/** Two strategies on one seed, side by side. */
export async function checkCompare(bench: Bench): Promise<void> {
  await using tab = await Tab.open(bench, bench.server.address);
  await tab.ready();
  const { page, requests } = tab;
  await page.locator("#prompt").fill("two owls, ");
  await page.getByRole("tab", { name: "Compare" }).click();
  // What was written stays.
  assertEquals(await page.locator("#compare-prompt").inputValue(), "two owls, ");
  await tab.unfold("#compare .compose > details");
  await page.locator("#compare-max_tokens").fill("32");
  await page.locator("#compare-0-block_size").selectOption("8");
  await page.locator("#compare-1-block_size").selectOption("16");
  await page.locator("#compare-1-strategy").selectOption("entropy_bounded");
  await page.locator("#compare-1-entropy_bound").fill("0.5");
  await page.getByRole("button", { name: "Generate both" }).click();
  await tab.says("#compare .status", /^Both are done, with the seed \d+$/);
  const sides = page.locator("#compare .side");
  for (const i of [0, 1]) {
    const text = await sides.nth(i).locator(".block").allTextContents();
    assertEquals(text.join(""), copyOf("two owls, ", 32));
  }
  const [left, right] = requests.filter(({ method }) => method === "POST")
    .map(({ body }) => JSON.parse(body));
  assertEquals(left, {
    prompt: "two owls, ",
    max_tokens: 32,
    trace: true,
    seed: left.seed,
    block_size: 8,
  });
  assertEquals(right, {
    ...left,
    strategy: "entropy_bounded",
    entropy_bound: 0.5,
    block_size: 16,
  });
  assert(Number.isSafeInteger(left.seed));
  // One token a pass, and half of the masks in each.
  const perPass = sides.locator(".panel dd:first-of-type");
  const rates = [await perPass.first().textContent(), await perPass.nth(6).textContent()];
  assertEquals(rates, ["1", "3.20"]);
  await sides.nth(1).locator(".panel button").click();
  assertEquals(await page.locator("#compare-seed").inputValue(), String(left.seed));
}

/** A text shows what each of its tokens surprises; only models that score have the mode. */
export async function checkScore(bench: Bench): Promise<void> {
  await using tab = await Tab.open(bench, bench.server.address);
  const { page } = tab;
  await tab.ready();
  const scores = page.getByRole("tab", { name: "Score" });
  await scores.click();
  await page.locator("#score-text").fill("An owl");
  await page.locator("#score-context").fill("Once, ");
  await page.locator("#score-text").press("Control+Enter");
  // Every token of the test model has probability one half: ln 2 nats, perplexity 2.
  await tab.says("#score .status", /^Perplexity 2(\.00)?$/);
  assertEquals(await page.locator("#score .text .token").allTextContents(), [..."An owl"]);
  const title = await page.locator("#score .text .token").first().getAttribute("title");
  assertEquals(title, '"A", 0.69 nats');
  assertEquals(await page.locator("#score .panel dd").allTextContents(), [
    "2",
    "0.69",
    "4.16 (± 0)",
    "6",
  ]);
  await tab.unfold("#score .tokens");
  assertEquals(await page.locator("#score tr").last().locator("td").allTextContents(), [
    '"l"',
    "108",
    "0.69",
  ]);
  const sent = tab.requests.find(({ method }) => method === "POST")!;
  const request = { input: "An owl", context: "Once, ", samples: 16, details: true };
  assertEquals(JSON.parse(sent.body), request);
  // The call gives these very numbers: it has the seed.
  await tab.says("#score .call code", /"seed":\d+/);
  await assertAccessible(tab, "scored");
  await page.route("**/v1/models", async (route) => {
    const list = await (await route.fetch()).json();
    list.data[0].capabilities.score = false;
    await route.fulfill({ json: list });
  });
  await page.reload();
  await tab.ready();
  assertEquals(await scores.isVisible(), false);
}

/** A key is asked for where one is needed, and kept by the page alone. */
export async function checkKey(bench: Bench): Promise<void> {
  await using tab = await Tab.open(bench, bench.slowServer.address);
  const { page } = tab;
  const key = page.getByLabel("API key");
  await key.waitFor();
  await tab.says("#connection", /^An API key is required$/);
  await key.fill("another-key");
  await key.press("Enter");
  await tab.says("#connection", /^The API key is not valid$/);
  await tab.unlock();
  await page.locator("#generate-max_tokens").fill("4");
  await page.locator("#prompt").press("Control+Enter");
  await tab.says("#generate .status", /^4 tokens/);
  assertEquals(await tab.textOf("#generate"), "Once");
  const call = await page.locator("#generate .call code").textContent();
  assert(call!.includes('-H "authorization: Bearer $API_KEY"'), call!);
  assertEquals((await page.content()).includes(API_KEY), false);
  const { cookies, origins } = await page.context().storageState();
  assertEquals([cookies, origins], [[], []]);
  await page.reload();
  await key.waitFor();
  assertEquals(await key.inputValue(), "");
}
