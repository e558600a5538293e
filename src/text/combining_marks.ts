/** Runs of marks that are left to the runtime: text that means something has no longer ones. */
const LONG_RUN = /\p{M}{65,}/gu;

/** The marks that go next to the letter before all others, and those that go last. */
const FIRST = "\u0334";
const LAST = "\u0345";

/**
 * Puts long runs of combining marks into canonical order, decomposed: text of the same meaning,
 * which `normalize()` gives the same form.
 *
 * The runtime moves every mark to its place one step at a time: two minutes for a megabyte of two
 * kinds of marks in turn.
 *
 * Source: Unicode Standard, 3.11, D108 and D109.
 */
export function orderMarks(text: string): string {
  const runs = text.match(LONG_RUN) ?? [];
  if (runs.length === 0) return text;
  const ranks = rankMarks(new Set(runs.flatMap(decompose)));
  return text.replace(LONG_RUN, (run) => order(decompose(run), ranks).join(""));
}

function decompose(run: string): string[] {
  return Array.from(run).flatMap((mark) => [...mark.normalize("NFD")]);
}

/** Numbers that order marks as their combining classes do; marks that stay in place have none. */
function rankMarks(marks: ReadonlySet<string>): ReadonlyMap<string, number> {
  const ranks = new Map<string, number>();
  const sorted = [...marks].filter(isMoved)
    .toSorted((a, b) => isSwapped(a, b) ? 1 : isSwapped(b, a) ? -1 : 0);
  for (const [i, mark] of sorted.entries()) {
    const before = sorted[i - 1];
    const rank = before === undefined ? 0 : ranks.get(before)!;
    ranks.set(mark, before !== undefined && isSwapped(mark, before) ? rank + 1 : rank);
  }
  return ranks;
}

/** Whether a mark is ordered among others; those of class 0 are not. */
function isMoved(mark: string): boolean {
  return isSwapped(mark, FIRST) || isSwapped(LAST, mark);
}

function isSwapped(a: string, b: string): boolean {
  return (a + b).normalize("NFD") === b + a;
}

/** Sorts each stretch between marks that stay in place; marks of one class keep their order. */
function order(marks: readonly string[], ranks: ReadonlyMap<string, number>): string[] {
  const ordered: string[] = [];
  let stretch: string[] = [];
  const end = () => {
    for (const each of stretch.toSorted((a, b) => ranks.get(a)! - ranks.get(b)!)) {
      ordered.push(each);
    }
    stretch = [];
  };
  for (const mark of marks) {
    if (ranks.has(mark)) {
      stretch.push(mark);
      continue;
    }
    end();
    ordered.push(mark);
  }
  end();
  return ordered;
}
