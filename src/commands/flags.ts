import { levenshteinDistance } from "@std/text";

/** Letters in which a flag may differ from one that is meant. */
const MOST_TYPOS = 3;

/** A command line or environment that cannot be understood; ends the program with status 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** What the text of a setting may look like, and what it means. */
export interface Kind<T> {
  /** Stands for the value in `--help`; a switch has `null` and needs no value. */
  readonly placeholder: string | null;
  /** Completes "expected …". */
  readonly expected: string;
  /** Gives `undefined` for text that does not fit. */
  readonly parse: (text: string) => T | undefined;
}

/** One setting: flag `--max-queue`, environment variable `BD_MAX_QUEUE`. */
export interface Setting<T> {
  readonly kind: Kind<unknown>;
  readonly initial: T;
  readonly isRepeatable: boolean;
  /** What it is, for `--help`. */
  readonly help: string;
}

/** Settings by their name in camel case. */
export type Settings = Readonly<Record<string, Setting<unknown>>>;

/** The values of a table of settings. */
export type Values<S extends Settings> = {
  readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never;
};

/** A setting that always has a value. */
export function setting<T>(kind: Kind<T>, initial: NoInfer<T>, help: string): Setting<T> {
  return { kind, initial, help, isRepeatable: false };
}

/** A setting that may be left out. */
export function optional<T>(kind: Kind<T>, help: string): Setting<T | null> {
  return { kind, initial: null, help, isRepeatable: false };
}

/** A setting that may be given more than once; separated by commas in the environment. */
export function repeatable<T>(kind: Kind<T>, help: string): Setting<readonly T[]> {
  return { kind, initial: Object.freeze([]), help, isRepeatable: true };
}

/** Decimal integers of a range, ends included. */
export function integer(min: number, max: number): Kind<number> {
  return {
    placeholder: "N",
    expected: `an integer from ${min} to ${max}`,
    parse(text) {
      const value = Number(text);
      return /^[0-9]{1,16}$/.test(text) && value >= min && value <= max ? value : undefined;
    },
  };
}

/** One of a few words. */
export function oneOf<const T extends string>(...words: T[]): Kind<T> {
  return {
    placeholder: words.join("|"),
    expected: words.length === 1 ? words[0]! : `one of ${words.join(", ")}`,
    parse: (text) => words.find((word) => word === text),
  };
}

/** On or off: the flag alone is on. */
export const toggle: Kind<boolean> = {
  placeholder: null,
  expected: "true or false",
  parse: (text) =>
    text === "true" || text === "1" || (text === "false" || text === "0" ? false : undefined),
};

/** Any text but the empty one. */
export const text: Kind<string> = {
  placeholder: "TEXT",
  expected: "some text",
  parse: (text) => text || undefined,
};

/**
 * Reads settings from the command line and, where it does not mention them, from the environment.
 *
 * An empty environment variable counts as absent. What follows `--` is positional.
 *
 * @throws {UsageError} If a flag is unknown, lacks its value, is given twice though it is not
 * repeatable, or if a value does not fit.
 */
export function readSettings<S extends Settings>(
  settings: S,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): { values: Values<S>; positional: string[] } {
  const { given, positional } = splitArgs(settings, args);
  const entries = Object.entries(settings).map(([name, each]) => {
    const inEnvironment = environment[variableOf(name)];
    if (given.has(name)) return [name, parse(each, flagOf(name), given.get(name)!)];
    if (!inEnvironment) return [name, each.initial];
    const texts = each.isRepeatable ? inEnvironment.split(",") : [inEnvironment];
    return [name, parse(each, variableOf(name), texts.map((text) => text.trim()))];
  });
  // The entries have the names of `settings`, and each value comes from its own setting.
  return { values: Object.fromEntries(entries) as Values<S>, positional };
}

/** The arguments that belong to one flag, among those of other flags; none after `--`. */
export function argumentsOf(flag: string, args: readonly string[]): string[] {
  const end = args.indexOf("--");
  return args.slice(0, end === -1 ? args.length : end).flatMap((each, i) => {
    if (each === flag) return args.slice(i, i + 2);
    return each.startsWith(`${flag}=`) ? [each] : [];
  });
}

/** Whether the command line asks for help. */
export function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  return args.slice(0, end === -1 ? args.length : end).some((each) =>
    each === "--help" || each === "-h"
  );
}

/** The environment variable of a setting: `maxQueue` → `BD_MAX_QUEUE`. */
export function variableOf(name: string): string {
  return "BD_" + words(name).join("_").toUpperCase();
}

/** The flag of a setting: `maxQueue` → `--max-queue`. */
export function flagOf(name: string): string {
  return "--" + words(name).join("-");
}

/** One line per setting for `--help`: flag, meaning, default. */
export function describeSettings(settings: Settings): string {
  const rows = Object.entries(settings).map(([name, { kind, initial, help, isRepeatable }]) => {
    const flag = [flagOf(name), kind.placeholder ?? []].flat().join(" ");
    const hasDefault = typeof initial === "string" || typeof initial === "number";
    const notes = [isRepeatable ? "repeatable" : [], hasDefault ? `default ${initial}` : []].flat();
    return [flag, help + (notes.length ? ` (${notes.join(", ")})` : "")] as const;
  });
  const width = Math.max(...rows.map(([flag]) => flag.length));
  return rows.map(([flag, help]) => `  ${flag.padEnd(width)}  ${help}`).join("\n");
}

function splitArgs(settings: Settings, args: readonly string[]) {
  const given = new Map<string, string[]>();
  const positional: string[] = [];
  const names = new Map(Object.keys(settings).map((name) => [flagOf(name), name]));
  const rest = [...args];
  for (let each = rest.shift(); each !== undefined; each = rest.shift()) {
    if (each === "--") return { given, positional: [...positional, ...rest] };
    if (!each.startsWith("-") || each === "-") {
      positional.push(each);
      continue;
    }
    const [, flag = "", value] = /^([^=]*)(?:=([^]*))?$/.exec(each) ?? [];
    const name = names.get(flag);
    if (name === undefined) {
      const hint = meant(flag, [...names.keys()]) ?? "another";
      throw new UsageError(
        `Cannot read the command line: flag is "${flag}", expected ${hint}; --help lists all`,
      );
    }
    const { kind, isRepeatable } = settings[name]!;
    const texts = given.get(name) ?? [];
    if (texts.length > 0 && !isRepeatable) {
      throw new UsageError(`Cannot read ${flag}: it is given twice, expected once`);
    }
    given.set(name, [
      ...texts,
      value ?? (kind.placeholder === null ? "true" : takeValue(flag, rest)),
    ]);
  }
  return { given, positional };
}

/** The flag that somebody meant who typed `flag`; `null` where none is alike. */
function meant(flag: string, flags: readonly string[]): string | null {
  const [nearest] = flags.map((each) => ({ each, distance: levenshteinDistance(each, flag) }))
    .filter(({ each, distance }) => distance <= MOST_TYPOS && distance < each.length - "--".length)
    .sort((a, b) => a.distance - b.distance);
  return nearest?.each ?? null;
}

function takeValue(flag: string, rest: string[]): string {
  const value = rest[0]?.startsWith("--") ? undefined : rest.shift();
  if (value === undefined) throw new UsageError(`Cannot read ${flag}: value is missing`);
  return value;
}

function parse({ kind, isRepeatable }: Setting<unknown>, source: string, texts: string[]): unknown {
  const values = texts.map((text) => {
    const value = kind.parse(text);
    if (value !== undefined) return value;
    throw new UsageError(
      `Cannot read ${source}: value is ${JSON.stringify(text)}, expected ${kind.expected}`,
    );
  });
  return isRepeatable ? Object.freeze(values) : values[0];
}

function words(name: string): string[] {
  return name.split(/(?=[A-Z])/).map((word) => word.toLowerCase());
}
