import { z } from "zod";

const Value = z.object({ stringValue: z.string() }).transform((each) => each.stringValue)
  .or(z.object({ doubleValue: z.number() }).transform((each) => each.doubleValue));

const Span = z.object({
  traceId: z.string(),
  spanId: z.string(),
  parentSpanId: z.string(),
  name: z.string(),
  kind: z.number(),
  startTimeUnixNano: z.string(),
  endTimeUnixNano: z.string(),
  attributes: z.array(z.object({ key: z.string(), value: Value })),
}).transform(({ attributes, startTimeUnixNano, endTimeUnixNano, ...span }) => ({
  ...span,
  startMs: Number(startTimeUnixNano) / 1e6,
  endMs: Number(endTimeUnixNano) / 1e6,
  /** A key that is there twice has both values. */
  attributes: attributes.map(({ key, value }) => [key, value] as const),
}));

const Traces = z.object({
  resourceSpans: z.array(z.object({
    scopeSpans: z.array(z.object({ spans: z.array(Span) })),
  })),
});

/** A span as it came. */
export type CollectedSpan = z.output<typeof Span>;

/** Takes what a process exports by OTLP, as JSON over HTTP. */
export class Collector implements AsyncDisposable {
  readonly spans: CollectedSpan[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  #received = "";
  #news = Promise.withResolvers<void>();

  constructor() {
    const options = { hostname: "127.0.0.1", port: 0, onListen() {} };
    this.#server = Deno.serve(options, async (request) => {
      this.#receive(new URL(request.url).pathname, await request.text());
      return Response.json({});
    });
  }

  /** Lets a process export to this collector, and soon. */
  get environment(): Record<string, string> {
    return {
      OTEL_DENO: "true",
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${this.#server.addr.port}`,
      OTEL_BSP_SCHEDULE_DELAY: "20",
      OTEL_BLRP_SCHEDULE_DELAY: "20",
    };
  }

  /** Everything that came, logs and metrics included. */
  get received(): string {
    return this.#received;
  }

  /** Waits for `count` spans with this name. */
  async named(name: string, count: number): Promise<CollectedSpan[]> {
    while (true) {
      const found = this.spans.filter((span) => span.name === name);
      if (found.length >= count) return found;
      await this.#news.promise;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  #receive(path: string, body: string): void {
    this.#received += body;
    if (path === "/v1/traces") {
      const { resourceSpans } = Traces.parse(JSON.parse(body));
      const scopes = resourceSpans.flatMap(({ scopeSpans }) => scopeSpans);
      this.spans.push(...scopes.flatMap(({ spans }) => spans));
    }
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }
}
