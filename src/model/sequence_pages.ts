import type { PrefixCacheUse, Remains } from "./denoiser.ts";
import { PAGE_TOKENS } from "./kv_cache.ts";
import { type Lease, PrefixCache } from "./prefix_cache.ts";

/** Where pages come from, and what the device is told of them: in order with its passes. */
export interface PageStore {
  readonly freePages: number;
  take(count: number): number[];
  giveBack(pages: readonly number[]): void;
  place(slot: number, pages: readonly number[]): void;
  copy(from: readonly number[], to: readonly number[]): void;
}

/** What a sequence needs. */
export interface PageDemand {
  /** Prompt tokens that need not be computed where somebody has, from the first on. */
  readonly prompt: readonly number[];
  readonly blockSize: number;
  /** Pages that its positions go round. */
  readonly count: number;
  /** Positions that it may write in all. */
  readonly positions: number;
}

/** A sequence that has pages. */
interface Tenant {
  readonly slot: number;
  readonly prompt: readonly number[];
  readonly blockSize: number;
  /** Whether its positions may come round and overwrite the first pages. */
  readonly isRing: boolean;
  /** By position. Those of the lease come first, the others are its own. */
  readonly pages: number[];
  readonly lease: Lease;
  /** Prompt tokens that were in place when it came. */
  readonly found: number;
  isGone: boolean;
}

/**
 * Which pages the sequences have, and what of their texts is kept for others that begin alike. Kept
 * are stretches of whole blocks that fill whole pages: a page each where the block size divides its
 * 32 tokens, else as many tokens as are a multiple of both.
 *
 * Nobody writes a shared page. A sequence shares what it stores of its prompt when the passes that
 * store it are submitted, as its first block comes after that, and what it has generated when it ends.
 * One whose positions may come round its pages has all of them to itself: it copies what it finds, and
 * shares what it has when it ends, unless it has come round by then.
 */
export class SequencePages {
  readonly #store: PageStore;
  readonly #cache = new PrefixCache();
  /** Whether anything is kept. */
  readonly #keeps: boolean;
  readonly #tenants = new Map<number, Tenant>();
  #queryTokens = 0;
  #hitTokens = 0;

  constructor(store: PageStore, { keeps }: { readonly keeps: boolean }) {
    this.#store = store;
    this.#keeps = keeps;
  }

  /** Pages that no sequence has; those kept for others make room when it is needed. */
  get freePages(): number {
    return this.#store.freePages + this.#cache.idlePages;
  }

  /** What is kept. */
  get kept(): PrefixCacheUse {
    const { pages, evictedPages } = this.#cache;
    return { pages, evictedPages, queryTokens: this.#queryTokens, hitTokens: this.#hitTokens };
  }

  /** Whether there are pages for a sequence now. */
  hasRoom(demand: PageDemand): boolean {
    const { prompt, blockSize, count } = demand;
    const shared = isRing(demand)
      ? 0
      : this.#cache.heldPages(blockSize, stretches(prompt, blockSize));
    return count - shared <= this.freePages;
  }

  /**
   * Gives a slot its pages, what is kept of its prompt among them.
   *
   * @throws {RangeError} If there are not enough, or the slot has some.
   */
  open(slot: number, demand: PageDemand): void {
    const { prompt, blockSize, count } = demand;
    if (this.#tenants.has(slot) || !this.hasRoom(demand)) {
      throw new RangeError(
        `Cannot give slot ${slot} ${count} pages: it has some, or ${this.freePages} are free`,
      );
    }
    const lease = this.#cache.lease(blockSize);
    const kept = this.#follow(lease, { blockSize, prompt: prompt.slice(0, count * PAGE_TOKENS) });
    const { pages, found } = isRing(demand)
      ? this.#takeWithCopies(count, { kept, lease })
      : { pages: [...kept, ...this.#take(count - kept.length)], found: kept.length };
    this.#store.place(slot, pages);
    if (this.#keeps) this.#queryTokens += prompt.length;
    this.#tenants.set(slot, {
      slot,
      prompt,
      blockSize,
      isRing: isRing(demand),
      pages,
      lease,
      found: found * PAGE_TOKENS,
      isGone: false,
    });
  }

  /**
   * Prompt tokens from `position` on that somebody has stored by now: they are in place, and need no
   * pass of their own.
   */
  reuse(slot: number, position: number): number {
    const count = this.#reuse(this.#tenantOf(slot), position);
    this.#hitTokens += count;
    return count;
  }

  /**
   * Says that passes are recorded which store a slot's prompt up to position `end`.
   *
   * @returns Call it when they are submitted: others find it from then on.
   */
  storing(slot: number, end: number): () => void {
    const tenant = this.#tenantOf(slot);
    return () => {
      if (tenant.isGone || tenant.isRing) return;
      this.#share(tenant, tenant.prompt.slice(0, end));
    };
  }

  /**
   * Takes a slot's pages back.
   *
   * @param remains What may be kept; `null` where the sequence has failed: nothing that it has found
   * or stored is to be trusted then.
   */
  close(slot: number, remains: Remains | null): void {
    const tenant = this.#tenantOf(slot);
    const { lease, pages, isRing } = tenant;
    this.#tenants.delete(slot);
    tenant.isGone = true;
    if (remains === null) {
      this.#forget(tenant);
    } else if (!isRing || remains.reach <= pages.length * PAGE_TOKENS) {
      this.#share(tenant, remains.tokens);
    }
    this.#store.giveBack(pages.slice(lease.length * stretchPages(tenant)));
    this.#store.giveBack(this.#cache.release(lease));
  }

  #reuse(tenant: Tenant, position: number): number {
    if (position < tenant.found) return tenant.found - position;
    const { slot, lease, pages, prompt, blockSize } = tenant;
    // What it has planned to store itself is not in the lease before that is submitted.
    const isNext = position === lease.length * stretchTokens(blockSize);
    if (tenant.isRing || !isNext) return 0;
    const shared = this.#follow(lease, { blockSize, prompt: prompt.slice(position) });
    if (shared.length === 0) return 0;
    this.#store.giveBack(pages.splice(position / PAGE_TOKENS, shared.length, ...shared));
    this.#store.place(slot, pages);
    return shared.length * PAGE_TOKENS;
  }

  /** Moves a lease on along a prompt as far as it is kept; the pages of that. */
  #follow(lease: Lease, { prompt, blockSize }: Pick<PageDemand, "prompt" | "blockSize">): number[] {
    const found: number[] = [];
    for (const tokens of stretches(prompt, blockSize)) {
      const pages = this.#cache.follow(lease, tokens);
      if (!pages) break;
      found.push(...pages);
    }
    return found;
  }

  /** Pages for a ring, the first of them copies of what is kept and `lease` has found. */
  #takeWithCopies(
    count: number,
    { kept, lease }: { readonly kept: readonly number[]; readonly lease: Lease },
  ): { readonly pages: number[]; readonly found: number } {
    // Where the last pages of all are needed there is nothing left to copy.
    const found = this.#makeRoom(count) ? kept : [];
    this.#store.giveBack(this.#cache.release(lease));
    const pages = this.#take(count);
    this.#store.copy(found, pages.slice(0, found.length));
    return { pages, found: found.length };
  }

  /** Takes free pages, if need be those of what nobody holds. */
  #take(count: number): number[] {
    this.#makeRoom(count);
    return this.#store.take(count);
  }

  /** Whether there are as many free pages now. */
  #makeRoom(count: number): boolean {
    while (this.#store.freePages < count) {
      const pages = this.#cache.evict();
      if (pages.length === 0) return false;
      this.#store.giveBack(pages);
    }
    return true;
  }

  /** Shares the stretches of `tokens` that are not yet. */
  #share(tenant: Tenant, tokens: readonly number[]): void {
    if (!this.#keeps) return;
    const { slot, lease, pages, blockSize } = tenant;
    const size = stretchPages(tenant);
    const left = tokens.slice(lease.length * stretchTokens(blockSize));
    let isMoved = false;
    for (const next of stretches(left, blockSize)) {
      const first = lease.length * size;
      const own = pages.slice(first, first + size);
      const shared = this.#cache.add(lease, { tokens: next, pages: own });
      if (shared === null) break;
      if (shared === own) continue;
      // Somebody else has stored the same: once is enough.
      this.#store.giveBack(pages.splice(first, size, ...shared));
      isMoved = true;
    }
    if (isMoved && !tenant.isGone) this.#store.place(slot, pages);
  }

  /** Forgets what a sequence has found or stored, for all. */
  #forget({ lease, isRing, ...tenant }: Tenant): void {
    // A ring holds nothing of what it has copied.
    const path = isRing ? this.#cache.lease(tenant.blockSize) : lease;
    if (isRing) this.#follow(path, tenant);
    this.#store.giveBack(this.#cache.forget(path));
    if (isRing) this.#store.giveBack(this.#cache.release(path));
  }

  #tenantOf(slot: number): Tenant {
    const tenant = this.#tenants.get(slot);
    if (!tenant) throw new RangeError(`Cannot use slot ${slot}: it has no pages, expected some`);
    return tenant;
  }
}

/** Whether positions may come round and overwrite the first pages. */
function isRing({ positions, count }: PageDemand): boolean {
  return positions > count * PAGE_TOKENS;
}

/** The least tokens that are whole blocks and whole pages. */
function stretchTokens(blockSize: number): number {
  let tokens = PAGE_TOKENS;
  while (tokens % blockSize !== 0) tokens += PAGE_TOKENS;
  return tokens;
}

function stretchPages({ blockSize }: Pick<Tenant, "blockSize">): number {
  return stretchTokens(blockSize) / PAGE_TOKENS;
}

/** Tokens from the first on, as many as are kept together at a time; what is left over is left out. */
function* stretches(tokens: readonly number[], blockSize: number): Generator<readonly number[]> {
  const size = stretchTokens(blockSize);
  for (let end = size; end <= tokens.length; end += size) yield tokens.slice(end - size, end);
}
