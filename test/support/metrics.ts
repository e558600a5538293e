import type { TestServer } from "./test_server.ts";

/** One sample of a scrape. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/**
 * Reads `GET /metrics`.
 *
 * @throws {SyntaxError} If a line is neither a comment nor a sample.
 */
export async function scrape(server: Pick<TestServer, "get">): Promise<Sample[]> {
  const text = await (await server.get("/metrics")).text();
  return text.split("\n").filter((line) => line !== "" && !line.startsWith("#")).map(parseSample);
}

function parseSample(line: string): Sample {
  const match = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line);
  if (!match) throw new SyntaxError(`Cannot read the sample: it is ${JSON.stringify(line)}`);
  const [, name = "", labels = "", value = ""] = match;
  // Values of labels come from fixed lists, none of which has a quote or a backslash.
  const pairs = [...labels.matchAll(/([a-z_]+)="([^"]*)"/g)].map(([, key, text]) => [key, text]);
  return {
    name,
    labels: Object.fromEntries(pairs),
    value: Number(value.replace("+Inf", "Infinity")),
  };
}

/** Sum of the samples `name` that have these labels, whatever others they have; 0 where none is. */
export function sumOf(
  samples: readonly Sample[],
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  const wanted = Object.entries(labels);
  return samples
    .filter((each) =>
      each.name === name && wanted.every(([key, text]) => each.labels[key] === text)
    )
    .reduce((sum, { value }) => sum + value, 0);
}

/** {@linkcode sumOf} what a server says now. */
export async function metric(
  server: Pick<TestServer, "get">,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  return sumOf(await scrape(server), name, labels);
}
