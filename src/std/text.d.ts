/** Insertions, deletions and substitutions that make one text the other. */
export function levenshteinDistance(one: string, other: string): number;
