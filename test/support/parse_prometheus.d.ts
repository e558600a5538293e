/** One sample; histograms have none of this. */
export interface Sample {
  readonly value: string;
  readonly labels?: Readonly<Record<string, string>>;
}
/** A metric with its samples. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly metrics: readonly Sample[];
}
/** Parses Prometheus' text format. */
export default function parsePrometheusTextFormat(text: string): Family[];
