import { assertEquals } from "@std/assert";
import { type Bench, copyOf, Tab } from "../bench.ts";
import { CuttingProxy } from "../cutting_proxy.ts";

const PROMPT = "a story about an owl, ";

/** A connection that is cut in the middle, more than once, is taken up where it was lost. */
export async function checkReconnect(bench: Bench): Promise<void> {
  await using proxy = new CuttingProxy(bench.slowServer.address);
  await using tab = await Tab.open(bench, proxy.address);
  await tab.unlock();
  const { page, requests } = tab;
  await page.locator("#prompt").fill(PROMPT);
  await page.locator("#generate-max_tokens").fill("100");
  // A step for each block, so that there are many before long.
  await page.locator("#generate-strategy").selectOption("sequential");
  await page.locator("#generate-steps").fill("1");
  await page.locator("#generate .primary").click();
  for (const block of [0, 3, 6]) {
    await page.locator("#generate .block").nth(block).waitFor();
    const back = page.waitForRequest(/\/v1\/blocks\/blk_/);
    proxy.cut();
    await back;
  }
  await tab.says("#generate .status", /^100 tokens in 25 blocks/);
  assertEquals(await tab.textOf("#generate"), copyOf(PROMPT, 100));
  assertEquals(await page.locator("#generate .block").count(), 25);
  assertEquals(await page.locator("#generate .alert").textContent(), "");
  assertEquals(requests.filter(({ method }) => method === "POST").length, 1);
  assertEquals(requests.filter(({ method }) => method === "DELETE"), []);
}

/** A server that does not come back is told of, and the page is of use again. */
export async function checkLostServer(bench: Bench): Promise<void> {
  const proxy = new CuttingProxy(bench.server.address);
  await using tab = await Tab.open(bench, proxy.address);
  await tab.ready();
  const { page } = tab;
  await page.locator("#generate-max_tokens").fill("4000");
  await tab.unfold("#generate .fields details");
  await page.locator("#generate-resume_ms").fill("100");
  await page.locator("#generate .primary").click();
  await page.locator("#generate .block").nth(1).waitFor();
  await proxy[Symbol.asyncDispose]();
  await tab.says("#generate .alert", /^The server cannot be reached$/);
  assertEquals(await page.locator("#generate .mask").count(), 0);
  assertEquals(await page.locator("#generate .primary").getAttribute("aria-disabled"), "false");
}
