/**
 * `serve` with a model that needs no files and no device, and with faults to order of any model:
 * `deno run -A test/support/server.ts --test-model --port 0`.
 */
import { z } from "zod";
import {
  type Config,
  parseConfig,
  readEnvironment,
  SHIPPED_MODEL,
} from "../../src/commands/config.ts";
import {
  flagOf,
  integer,
  readSettings,
  setting,
  toggle,
  UsageError,
  type Values,
  variableOf,
} from "../../src/commands/flags.ts";
import { type EngineHooks, serve, startEngines } from "../../src/commands/serve.ts";
import { createApp } from "../../src/server/app.ts";
import { readJson } from "../../src/server/body.ts";
import { validate } from "../../src/server/validate.ts";
import { type FaultyModel, startFaultyModel } from "./faulty_model.ts";
import { TestModel } from "./test_model.ts";

/** The flags that `serve` does not know. */
const SETTINGS = {
  testModel: setting(toggle, false, "serve test-copy, after the models given"),
  testStepMs: setting(integer(0, 60_000), 5, "least time of a denoising step"),
  faultInjection: setting(toggle, false, "answer POST /debug/faults"),
};

const Faults = z.strictObject({
  // The last one is for tests of this project alone: an error in the engine's Worker.
  fault: z.enum(["device_lost", "forward_error", "engine_error"]),
  ms: z.int().min(0).max(60_000).default(500),
});

/** Runs the test server and gives the exit status. */
async function run(args: readonly string[]): Promise<number> {
  const get = (name: string) => Deno.env.get(name);
  const { own, others } = splitArgs(args);
  const { testModel, testStepMs, faultInjection } = readOwnSettings(own, get);
  const defaultModels = testModel ? [] : [SHIPPED_MODEL];
  const config = parseConfig(others, readEnvironment(get), { defaultModels });
  const testModels = testModel ? [new TestModel({ ...config, stepMs: testStepMs })] : [];
  const faulty: FaultyModel[] = [];
  return await serve(config, {
    startEngines: (_, hooks) => {
      if (!faultInjection) return [...startEngines(config, hooks), ...testModels];
      faulty.push(...startFaultyModels(config, hooks), ...testModels);
      return faulty;
    },
    createApp: (options) => {
      const app = createApp(options);
      if (faultInjection) {
        app.post("/debug/faults", async (c) => {
          await inject(validate(Faults, await readJson(c.req.raw, config)), faulty);
          return new Response(null, { status: 204 });
        });
      }
      return app;
    },
  });
}

function startFaultyModels(config: Config, hooks: EngineHooks): FaultyModel[] {
  return config.models.map((model) =>
    startFaultyModel((createWorker) => {
      const [running] = startEngines({ ...config, models: [model] }, { ...hooks, createWorker });
      return running!; // As many as models.
    })
  );
}

/** Tells the flags of this server from those of `serve`. */
function splitArgs(args: readonly string[]): { own: string[]; others: string[] } {
  const own: string[] = [];
  const others: string[] = [];
  const names = Object.keys(SETTINGS).map(flagOf);
  for (const [i, each] of args.entries()) {
    const isValue = args[i - 1] === flagOf("testStepMs");
    const isOwn = isValue || names.includes(each.split("=", 1)[0]!);
    (isOwn ? own : others).push(each);
  }
  return { own, others };
}

function readOwnSettings(
  args: readonly string[],
  get: (name: string) => string | undefined,
): Values<typeof SETTINGS> {
  const names = Object.keys(SETTINGS).map(variableOf);
  const environment = names.map((name) => [name, get(name) ?? ""]);
  return readSettings(SETTINGS, args, Object.fromEntries(environment)).values;
}

async function inject(
  { fault, ms }: z.output<typeof Faults>,
  models: readonly FaultyModel[],
): Promise<void> {
  switch (fault) {
    case "device_lost":
      return void await Promise.all(models.map((model) => model.loseDevice(ms)));
    case "engine_error":
      return void await Promise.all(models.map((model) => model.breakWorker()));
    case "forward_error": {
      const isBusy = ({ engine }: FaultyModel) => engine.stats.running > 0;
      return (models.find(isBusy) ?? models[0])?.failNextStep();
    }
  }
}

/** With V8's `--expose-gc` garbage lives for a second only: what the process holds is what it needs. */
const { gc } = globalThis as { readonly gc?: () => void };
if (gc) setInterval(gc, 1000);

try {
  Deno.exit(await run(Deno.args));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(error.message);
  Deno.exit(2);
}
