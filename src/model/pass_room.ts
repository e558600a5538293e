import type { PassPlan } from "./denoiser.ts";
import type { RowForecast } from "./row_forecast.ts";
import type { SequenceOptions } from "./sequence_state.ts";

/** A sequence on the device, and what its next passes take. */
export interface OpenSequence {
  readonly options: SequenceOptions;
  readonly forecast: RowForecast;
}

/** What a pass has room for. The device knows how many rows live; the host only how many there can be. */
export interface PassRoom {
  /** Sequences that take a denoising step. */
  readonly lanes: number;
  /** Live rows, prompts' included, and live heads at most. */
  readonly bound: number;
  readonly headBound: number;
  /** How many neighbouring rows are mostly of one sequence. */
  readonly together: number;
  /** Whether a sequence of the pass asks for details. */
  readonly isDetailed: boolean;
}

/** The room that a pass needs; moves the forecasts of its lanes on by this pass. */
export function roomFor(
  { lanes, prompts }: PassPlan,
  openIn: (slot: number) => OpenSequence,
): PassRoom {
  const sequences = lanes.map(openIn);
  const bounds = sequences.map(({ forecast }) => forecast.next());
  const promptRows = prompts.reduce((sum, { tokens }) => sum + tokens.length, 0);
  return {
    lanes: lanes.length,
    bound: bounds.reduce((sum, { rows }) => sum + rows, promptRows),
    headBound: bounds.reduce((sum, { heads }) => sum + heads, 0),
    // Of a lane's two blocks mostly one lives.
    together: Math.min(
      ...sequences.map(({ options }) => options.blockSize),
      ...prompts.map(({ tokens }) => tokens.length),
    ),
    isDetailed: sequences.some(({ options }) => options.isDetailed),
  };
}
