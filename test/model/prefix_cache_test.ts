import { assertEquals } from "@std/assert";
import { PrefixCache } from "../../src/model/prefix_cache.ts";

/** A lease on a path that is added token by token, in pages of the same numbers. */
function leaseOn(cache: PrefixCache, tokens: readonly number[], blockSize = 4) {
  const lease = cache.lease(blockSize);
  for (const token of tokens) cache.add(lease, { tokens: [token], pages: [token] });
  return lease;
}

/** Pages that a newcomer finds. */
function find(cache: PrefixCache, tokens: readonly number[], blockSize = 4): number[] {
  const lease = cache.lease(blockSize);
  const found = tokens.map((token) => cache.follow(lease, [token])).filter((each) => each !== null);
  cache.release(lease);
  return found.flat();
}

Deno.test("PrefixCache finds what was added, as far as it goes", () => {
  const cache = new PrefixCache();
  const lease = leaseOn(cache, [1, 2, 3]);
  assertEquals(lease.length, 3);
  assertEquals(find(cache, [1, 2, 3]), [1, 2, 3]);
  assertEquals(find(cache, [1, 2, 4]), [1, 2]);
  assertEquals(find(cache, [1, 2, 3, 4]), [1, 2, 3]);
  assertEquals(find(cache, [2, 3]), []);
});

Deno.test("PrefixCache tells texts apart by block size and by where tokens end", () => {
  const cache = new PrefixCache();
  const lease = cache.lease(4);
  cache.add(lease, { tokens: [1, 23], pages: [0] });
  assertEquals(find(cache, [1], 8), []);
  const other = cache.lease(4);
  assertEquals(cache.follow(other, [12, 3]), null);
  assertEquals(cache.follow(other, [1, 2, 3]), null);
  const sameTokens = cache.lease(8);
  assertEquals(cache.follow(sameTokens, [1, 23]), null);
});

Deno.test("PrefixCache.add() gives the pages that were there first", () => {
  const cache = new PrefixCache();
  leaseOn(cache, [1]);
  const late = cache.lease(4);
  assertEquals(cache.add(late, { tokens: [1], pages: [7] }), [1]);
  assertEquals(cache.add(late, { tokens: [2], pages: [8, 9] }), [8, 9]);
  assertEquals([late.length, cache.pages, cache.idlePages], [2, 3, 0]);
});

Deno.test("PrefixCache evicts nothing that is held", () => {
  const cache = new PrefixCache();
  const [first, second] = [leaseOn(cache, [1, 2]), leaseOn(cache, [1, 3])];
  assertEquals(cache.evict(), []);
  cache.release(first);
  assertEquals([cache.pages, cache.idlePages], [3, 1]);
  assertEquals([cache.evict(), cache.evict()], [[2], []]);
  cache.release(second);
  assertEquals([cache.pages, cache.idlePages, cache.evictedPages], [2, 2, 1]);
});

Deno.test("PrefixCache evicts what was not used for longest, the end of a text first", () => {
  const cache = new PrefixCache();
  cache.release(leaseOn(cache, [1, 2, 3]));
  cache.release(leaseOn(cache, [4]));
  cache.release(leaseOn(cache, [1, 5]));
  find(cache, [4]);
  const left = Array.from({ length: 5 }, () => cache.evict());
  assertEquals(left, [[3], [2], [5], [1], [4]]);
  assertEquals([cache.evict(), cache.pages, cache.idlePages], [[], 0, 0]);
  assertEquals(find(cache, [1]), []);
});

Deno.test("PrefixCache takes in again what was evicted", () => {
  const cache = new PrefixCache();
  cache.release(leaseOn(cache, [1]));
  cache.evict();
  const lease = cache.lease(4);
  assertEquals(cache.add(lease, { tokens: [1], pages: [9] }), [9]);
  assertEquals(find(cache, [1]), [9]);
});

Deno.test("PrefixCache.heldPages() counts what others hold, not what is only kept", () => {
  const cache = new PrefixCache();
  cache.release(leaseOn(cache, [1, 2, 3]));
  assertEquals(cache.heldPages(4, [[1], [2]]), 0);
  const lease = cache.lease(4);
  cache.follow(lease, [1]);
  cache.follow(lease, [2]);
  assertEquals(cache.heldPages(4, [[1], [2], [3]]), 2);
  assertEquals(cache.heldPages(4, [[1]]), 1);
  assertEquals(cache.heldPages(4, [[2]]), 0);
  assertEquals(cache.heldPages(8, [[1]]), 0);
});

Deno.test("PrefixCache.forget() frees at once what nobody holds, the rest with its last holder", () => {
  const cache = new PrefixCache();
  cache.release(leaseOn(cache, [1, 2]));
  const [damaged, other] = [leaseOn(cache, [1, 3]), leaseOn(cache, [1, 3, 4])];
  leaseOn(cache, [5]);
  assertEquals(cache.forget(damaged), [2]);
  assertEquals(find(cache, [1, 3]), []);
  assertEquals(find(cache, [5]), [5]);
  assertEquals(cache.pages, 1);
  // Who is on it goes on with its own pages.
  assertEquals(cache.add(other, { tokens: [6], pages: [6] }), null);
  cache.release(damaged);
  assertEquals(cache.release(other), [4, 3, 1]);
  assertEquals([cache.pages, cache.idlePages], [1, 0]);
});

Deno.test("PrefixCache.forget() leaves what has come in the place of what was forgotten", () => {
  const cache = new PrefixCache();
  const [first, second] = [leaseOn(cache, [1, 2]), leaseOn(cache, [1])];
  cache.forget(first);
  const later = cache.lease(4);
  cache.add(later, { tokens: [1], pages: [7] });
  assertEquals(cache.forget(second), []);
  assertEquals(find(cache, [1]), [7]);
  // Nothing follows on a path that is forgotten.
  assertEquals(cache.follow(second, [2]), null);
  assertEquals(cache.forget(cache.lease(4)), []);
});
