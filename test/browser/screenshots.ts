import { SHIPPED_MODEL } from "../../src/commands/config.ts";
import { ROOT } from "../support/process.ts";
import { TestServer } from "../support/test_server.ts";
import { type Bench, Tab } from "./bench.ts";
import { freezeAmid } from "./in_page.js";

/** Pictures of the playground with the model that ships, amid a block, for `docs`. */
export async function takeScreenshots(bench: Bench): Promise<void> {
  await using server = await TestServer.start("--model", SHIPPED_MODEL.directory);
  for (const colorScheme of ["light", "dark"] as const) {
    const viewport = { width: 1220, height: 600 };
    await using tab = await Tab.open(bench, server.address, { colorScheme, viewport });
    await tab.ready();
    const { page } = tab;
    await page.locator("#prompt").fill("Once upon a time, in a big forest,");
    await page.locator("#generate-block_size").selectOption("16");
    await page.locator("#generate-max_tokens").fill("160");
    await page.locator("#generate-top_p").fill("0.8");
    await page.locator("#generate-seed").fill("5");
    await page.getByRole("checkbox", { name: "keep colours" }).first().check();
    await page.locator("#generate .primary").click();
    await page.waitForFunction(freezeAmid, undefined, { polling: 10 });
    await page.screenshot({ path: `${ROOT}docs/playground-${colorScheme}.png` });
    await page.keyboard.press("Escape");
  }
}
