/** What is kept for sequences that begin alike, and what that was good for. */
export interface PrefixCacheUse {
  /** Pages that sequences can find now. */
  readonly pages: number;
  /** Pages that have made room for others. */
  readonly evictedPages: number;
  /** Prompt tokens that were looked for, and those of them that were found. */
  readonly queryTokens: number;
  readonly hitTokens: number;
}

/** Nothing is kept, and nothing was. */
export const NO_USE: PrefixCacheUse = {
  pages: 0,
  evictedPages: 0,
  queryTokens: 0,
  hitTokens: 0,
};

/** What is kept now, with the counts since `before`. */
export function useSince(before: PrefixCacheUse, now: PrefixCacheUse): PrefixCacheUse {
  return {
    pages: now.pages,
    evictedPages: now.evictedPages - before.evictedPages,
    queryTokens: now.queryTokens - before.queryTokens,
    hitTokens: now.hitTokens - before.hitTokens,
  };
}

/** What is kept now, with the counts of both. */
export function addUse(before: PrefixCacheUse, now: PrefixCacheUse): PrefixCacheUse {
  return {
    pages: now.pages,
    evictedPages: before.evictedPages + now.evictedPages,
    queryTokens: before.queryTokens + now.queryTokens,
    hitTokens: before.hitTokens + now.hitTokens,
  };
}
