/** One measured number. */
export interface Figure {
  readonly value: number;
  readonly unit: string;
  /** Digits that mean something where those of a time would not do. */
  readonly digits?: number;
  /** What it must reach; absent where nothing was promised. */
  readonly goal?: Goal;
}

/** A bound on a figure. */
export type Goal = { readonly atLeast: number } | { readonly atMost: number };

/** Measured numbers by name. */
export type Figures = Record<string, Figure>;

/** A line of the table: the figure, what it must reach, and whether it does. */
export function figureLine(name: string, figure: Figure): string {
  const { value, unit, goal } = figure;
  const line = `${name.padEnd(72)} ${format(figure).padStart(9)} ${unit}`;
  return goal === undefined ? line : `${line.padEnd(104)} ${describe(goal, value)}`;
}

function describe(goal: Goal, value: number): string {
  const [sign, bound, isMet] = "atLeast" in goal
    ? [">=", goal.atLeast, value >= goal.atLeast] as const
    : ["<=", goal.atMost, value <= goal.atMost] as const;
  return `must be ${sign} ${bound}: ${isMet ? "met" : "MISSED"}`;
}

function format({ value, digits = 3 }: Figure): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(digits);
}
