import { type Check, withBench } from "./bench.ts";
import { checkAxe, checkKeyboard, checkLooks } from "./checks/access.ts";
import {
  checkColours,
  checkGenerate,
  checkModels,
  checkOptions,
  checkStop,
} from "./checks/generate.ts";
import { checkCompare, checkKey, checkScore } from "./checks/modes.ts";
import { checkLostServer, checkReconnect } from "./checks/reconnect.ts";
import { takeScreenshots } from "./screenshots.ts";

const CHECKS: Readonly<Record<string, Check>> = {
  "options have the ranges of the schema and the model": checkOptions,
  "another model has other limits": checkModels,
  "masks turn into tokens, and finished blocks into text": checkGenerate,
  "colours follow confidence or steps, and stay on request": checkColours,
  "stop ends the generation, and a refusal is told": checkStop,
  "a connection that is cut is taken up again": checkReconnect,
  "a server that is gone is told of": checkLostServer,
  "two strategies run side by side on one seed": checkCompare,
  "scored text shows what surprises": checkScore,
  "a key is asked for, used and not kept": checkKey,
  "axe-core finds nothing": checkAxe,
  "the keyboard is enough": checkKeyboard,
  "a phone's width is enough, and dark is dark": checkLooks,
};

// One browser for all of them: it takes longest to start.
Deno.test("the playground works in a browser", async (t) => {
  await withBench(async (bench) => {
    for (const [name, check] of Object.entries(CHECKS)) await t.step(name, () => check(bench));
    if (Deno.env.get("BD_SCREENSHOTS")) {
      await t.step("pictures of it are taken", () => takeScreenshots(bench));
    }
  });
});
