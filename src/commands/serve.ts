import type { Hono } from "hono";
import { type AppOptions, createApp } from "../server/app.ts";
import type { AppEnv } from "../server/context.ts";
import { hideTargets } from "../telemetry/tracing.ts";
import { CheckpointError } from "../weights/checkpoint.ts";
import { damageReport } from "./check.ts";
import { authorityOf, type Config, parseConfig, readEnvironment, serveHelp } from "./config.ts";
import { type RunningModel, startEngine, startError, type StartOptions } from "./engines.ts";
import { asksForHelp } from "./flags.ts";
import { createLog } from "../telemetry/log.ts";
import { surviveStrayErrors } from "./stray_errors.ts";
import { processOutput, ProgressBar } from "./terminal.ts";
import { VERSION } from "./version.ts";

/** Exit status after a second signal, by signal. */
const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;

/** What {@linkcode serve} puts together. */
export interface ServeParts {
  /** Starts a model's engine for each of the configured ones, and for others it knows of. */
  readonly startEngines: (config: Config, hooks: EngineHooks) => RunningModel[];
  readonly createApp: (options: AppOptions) => Hono<AppEnv>;
}

/** What of an engine does not follow from the settings. */
export type EngineHooks = Pick<StartOptions, "onProgress" | "createWorker">;

type Handler = (request: Request, info: Deno.ServeHandlerInfo) => Promise<Response>;

/**
 * Runs `serve`: listens until a signal ends it.
 *
 * @returns Exit status: 0 after a drain, 1 when it cannot start.
 * @throws {UsageError} If the settings cannot be read.
 */
export async function run(args: readonly string[]): Promise<number> {
  if (asksForHelp(args)) {
    console.log(serveHelp().trimEnd());
    return 0;
  }
  const config = parseConfig(args, readEnvironment((name) => Deno.env.get(name)));
  return await serve(config, { startEngines, createApp });
}

/**
 * Listens until a signal ends it.
 *
 * @returns Exit status: 0 after a drain, 1 when it cannot start, which stderr then tells.
 */
export async function serve(config: Config, parts: ServeParts): Promise<number> {
  try {
    return await listen(config, parts);
  } catch (error) {
    report(error);
    return 1;
  }
}

/** Tells the operator why there is no engine. */
function report(error: unknown): void {
  const cause = startError(error);
  if (cause instanceof CheckpointError) console.error(JSON.stringify(damageReport(cause)));
  else console.error(cause instanceof Error ? cause.message : String(cause));
}

/** The handler of `deno serve main.ts`: settings from the environment; requests wait for the model. */
export function serverlessHandler(): Handler {
  const environment = readEnvironment((name) => Deno.env.get(name));
  // The platform listens, as a rule not on loopback alone.
  const config = parseConfig([], { BD_HOST: "0.0.0.0", ...environment });
  const models = startEngines(config);
  const ready = whenReady(models);
  ready.catch(report);
  const app = createApp({ ...appOptions(config, ready), waitForModel: true });
  // The runtime closes the listener itself, but does not say when all was sent: the most that
  // draining waits. The engines' Workers would keep the process.
  const shutdown = () => new Promise<void>(() => {});
  void drainOnSignal(config, { models, shutdown }).then((status) => Deno.exit(status));
  return async (request, info) => await app.fetch(request, { info });
}

async function listen(config: Config, parts: ServeParts): Promise<number> {
  using progress = new ProgressBar(processOutput(Deno.stderr), "loading");
  const models = parts.startEngines(config, { onProgress: (...told) => progress.update(...told) });
  const ready = whenReady(models);
  const app = parts.createApp(appOptions(config, ready));
  hideTargets();
  const listening = Promise.withResolvers<Deno.NetAddr>();
  const server = openServer(config, {
    onListen: (address) => listening.resolve(address),
    handler: (request, info) => app.fetch(request, { info }),
    // The app answers its own errors; what is left are streams that it gave up.
    onError: () => new Response(null, { status: 500 }),
  });
  const ended = drainOnSignal(config, { models, shutdown: () => server.shutdown() });
  try {
    const isReady = await Promise.race([ready.then(() => true), ended.then(() => false)]);
    progress[Symbol.dispose]();
    if (isReady) {
      await listening.promise;
      announce(config, { models, port: server.addr.port });
    }
    return await ended;
  } finally {
    await closeAll(models);
  }
}

async function closeAll(models: readonly RunningModel[]): Promise<void> {
  await Promise.all(models.map((each) => each.close()));
}

/** @throws {Error} If the address cannot be listened on. */
function openServer(
  config: Config,
  options: Deno.ServeInit<Deno.NetAddr> & { readonly onListen: (address: Deno.NetAddr) => void } & {
    readonly onError: () => Response;
  },
): Deno.HttpServer<Deno.NetAddr> {
  try {
    return Deno.serve({ ...options, hostname: config.host, port: config.port });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const remedy = "choose another --host or --port";
    throw new Error(`Cannot listen on ${authorityOf(config)}: ${reason}; ${remedy}`, { cause });
  }
}

/** Starts the engines of the configured models. */
export function startEngines(config: Config, hooks: EngineHooks = {}): RunningModel[] {
  const { weights, tune, prefixCache, maxConcurrent, maxQueue, chatTemplate } = config;
  const { context: contextLength, deviceMemoryBytes: memoryBytes, engines } = config;
  const options = {
    ...{ weights, tune, prefixCache, maxConcurrent, maxQueue, chatTemplate },
    ...{ contextLength, memoryBytes, engines: engines ?? 1 },
    ...hooks,
  };
  return config.models.map((source) => startEngine(source, options));
}

async function whenReady(models: readonly RunningModel[]): Promise<readonly RunningModel[]> {
  await Promise.all(models.map(({ engine }) => engine.ready));
  return models;
}

function appOptions(settings: Config, models: Promise<readonly RunningModel[]>) {
  models.catch(() => {}); // The app tells its clients, and `serve` its operator.
  const writeLog = (line: string) => console.log(line);
  surviveStrayErrors(globalThis, createLog(writeLog, Date.now));
  return { models, settings, version: VERSION, writeLog };
}

function announce(
  config: Config,
  { models, port }: { readonly models: readonly RunningModel[]; readonly port: number },
): void {
  const engines = config.engines ?? 1;
  for (const { engine: { model } } of models) {
    const shared = engines > 1 ? `, ${engines} engines` : "";
    console.log(`serving ${model.id} on ${model.adapter}${shared}`);
  }
  if (models.some(({ engine }) => engine.model.isCpu)) {
    console.log("this adapter is the CPU: it works, but speed needs a GPU");
  }
  console.log(`listening on http://${authorityOf({ host: config.host, port })}`);
}

/** Resolves with 0 when a first signal has been followed by the end of all running work. */
function drainOnSignal(
  { drainTimeoutMs }: Config,
  { models, shutdown }: {
    readonly models: readonly RunningModel[];
    readonly shutdown: () => Promise<void>;
  },
): Promise<number> {
  const ended = Promise.withResolvers<number>();
  let isDraining = false;
  const drain = async () => {
    for (const { engine } of models) engine.drain();
    const idle = Promise.all(models.map(({ engine }) => engine.idle()));
    await atMost(drainTimeoutMs, idle);
    const closed = closeAll(models);
    // Connections that stay open without a request would hold it up.
    await atMost(1000, shutdown());
    await closed;
    ended.resolve(0);
  };
  for (const [signal, status] of Object.entries(SIGNALS)) {
    Deno.addSignalListener(signal as keyof typeof SIGNALS, () => { // The keys are signals.
      if (isDraining) Deno.exit(status);
      isDraining = true;
      drain().catch(ended.reject);
    });
  }
  return ended.promise;
}

/** Waits for `work`, but no longer than `ms`. */
async function atMost(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  await Promise.race([work, new Promise((done) => timer = setTimeout(done, ms))]);
  clearTimeout(timer);
}
