import type { PrefixCacheUse } from "../model/denoiser.ts";

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
