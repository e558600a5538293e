// @ts-types="./parse_prometheus.d.ts"
import parse from "parse-prometheus-text-format";

/** Labels of a sample. */
export type Labels = Readonly<Record<string, string>>;

/** What a text in Prometheus' format says. */
export interface Exposition {
  /** Type of each family, in lower case. */
  readonly types: ReadonlyMap<string, string>;
  /** Labels of every sample of `name`; of a histogram the parts are samples, as in `x_count`. */
  labels(name: string): Labels[];
  /** The sample with exactly these labels; `undefined` where there is none. */
  value(name: string, labels?: Labels): number | undefined;
}

/**
 * Reads Prometheus' text format.
 *
 * @throws {SyntaxError} If a family has not one line of help and one of its type before its samples.
 */
export function readExposition(text: string): Exposition {
  checkOrder(text);
  // The parser loses labels of histograms. It keeps them where it does not know that these are any.
  const samples = parse(text.replace(/^# TYPE \S+ histogram$/gm, ""));
  const find = (name: string) =>
    samples.filter((each) => each.name === name).flatMap(({ metrics }) => metrics);
  return {
    types: new Map(parse(text).map(({ name, type }) => [name, type.toLowerCase()])),
    labels: (name) => find(name).map(({ labels = {} }) => labels),
    value: (name, labels = {}) => {
      const found = find(name).filter((each) => keyOf(each.labels ?? {}) === keyOf(labels));
      if (found.length > 1) throw new SyntaxError(`Cannot read ${name}: it is there twice`);
      return found[0] === undefined ? undefined : Number(found[0].value);
    },
  };
}

function keyOf(labels: Labels): string {
  return JSON.stringify(Object.entries(labels).sort());
}

function checkOrder(text: string): void {
  const seen = new Set<string>();
  let rest = text;
  while (rest !== "") {
    const head = /^\n*# HELP ([a-z0-9_]+) \S.*\n# TYPE \1 (counter|gauge|histogram)\n/.exec(rest);
    const name = head?.[1] ?? "";
    if (head === null || seen.has(name)) {
      throw new SyntaxError(`Cannot read the metrics at ${JSON.stringify(rest.slice(0, 100))}`);
    }
    seen.add(name);
    rest = rest.slice(head[0].length);
    const parts = head[2] === "histogram" ? "(_bucket|_sum|_count)" : "";
    while (!/^\n*(#|$)/.test(rest)) {
      const sample = new RegExp(`^${name}${parts}(\\{.*\\})? [0-9.e+-]+\\n*`).exec(rest);
      if (!sample) {
        throw new SyntaxError(`Cannot read a sample at ${JSON.stringify(rest.slice(0, 100))}`);
      }
      rest = rest.slice(sample[0].length);
    }
    rest = rest.replace(/^\n+/, "");
  }
}
