import type { ModelReading } from "../telemetry/metrics.ts";
import type { LoadedModel } from "./loaded_models.ts";
import type { ServerParts } from "./parts.ts";

/** GET: what the server has done and holds now, for Prometheus; while the models load, too. */
export function showMetrics({ metrics, models, nowMs }: ServerParts): () => Promise<Response> {
  return async () => {
    const lagMs = await measureLag(nowMs);
    const readings = {
      models: models.loaded.map(readModel),
      lagMs,
      residentBytes: Deno.memoryUsage().rss,
    };
    const headers = { "Content-Type": metrics.contentType };
    return new Response(await metrics.render(readings), { headers });
  };
}

function readModel({ engine: { model, stats } }: LoadedModel): ModelReading {
  return { model: model.id, adapter: model.adapter, ...stats };
}

/** How long a timer that is due at once waits for what the event loop does before. */
async function measureLag(nowMs: () => number): Promise<number> {
  const dueMs = nowMs();
  await new Promise((fire) => setTimeout(fire, 0));
  return nowMs() - dueMs;
}
