/** Some neighbouring tokens, whole blocks in whole pages, after all those of its ancestors. */
interface Entry {
  /** `null`: nothing is before it, and it is nothing itself, the root of all entries of its kind. */
  readonly parent: Entry | null;
  /** What it is found by among the children of `parent`. */
  readonly key: string;
  /** Pages with its keys and values, which nobody writes any more. */
  readonly pages: readonly number[];
  readonly children: Map<string, Entry>;
  /** Leases that reach it. */
  holders: number;
  /** Nobody finds it any more; its pages are free with its last holder. */
  isForgotten: boolean;
}

/** Tokens whose keys and values are in pages. */
export interface Stored {
  readonly tokens: readonly number[];
  readonly pages: readonly number[];
}

/** A path of entries from the first on, which stay as long as somebody holds it. */
export interface Lease {
  /** Where it ends. */
  tip: Entry;
  /** Entries on it. */
  length: number;
}

/**
 * Pages with the keys and values of tokens that sequences began with, for others that begin alike.
 * Keys and values depend on all tokens before them and on the block size: an entry is found by the
 * path that leads to it, each step by its tokens themselves, so that no two texts are ever confused.
 * Entries that nobody holds leave one by one, the least recently used first, and no entry before
 * those that follow it. Knows page numbers only: whoever is told of pages has them from then on.
 */
export class PrefixCache {
  /** By block size. */
  readonly #roots = new Map<number, Entry>();
  /** Entries that nobody holds, in the order in which they may leave. */
  readonly #idle = new Set<Entry>();
  #pages = 0;
  #idlePages = 0;
  #evictedPages = 0;

  /** Pages that can be found. */
  get pages(): number {
    return this.#pages;
  }

  /** Those of them that nobody holds. */
  get idlePages(): number {
    return this.#idlePages;
  }

  /** Pages that have left so far to make room. */
  get evictedPages(): number {
    return this.#evictedPages;
  }

  /** An empty path for blocks of this size. */
  lease(blockSize: number): Lease {
    const root = this.#roots.get(blockSize) ?? newEntry(null, { tokens: [], pages: [] });
    this.#roots.set(blockSize, root);
    return { tip: root, length: 0 };
  }

  /** Pages that others hold along the path that these tokens, one stretch an entry, lead to. */
  heldPages(blockSize: number, stretches: Iterable<readonly number[]>): number {
    let entry = this.#roots.get(blockSize);
    let pages = 0;
    for (const tokens of stretches) {
      entry = entry?.children.get(keyOf(tokens));
      if (!entry || entry.holders === 0) break; // Who holds an entry holds those before it.
      pages += entry.pages.length;
    }
    return pages;
  }

  /**
   * Moves a lease on to the entry of the tokens that come next.
   *
   * @returns The entry's pages; `null` where there is none.
   */
  follow(lease: Lease, tokens: readonly number[]): readonly number[] | null {
    const entry = lease.tip.children.get(keyOf(tokens));
    if (!entry || entry.isForgotten) return null;
    this.#hold(lease, entry);
    return entry.pages;
  }

  /**
   * Adds the tokens that come next, stored in `pages`, and moves the lease on to them.
   *
   * @returns The pages that the lease has for them: others where they were there already, and `null`
   * where the lease is on a path that was forgotten. Then `pages` stay with the caller.
   */
  add(lease: Lease, stored: Stored): readonly number[] | null {
    const { tip } = lease;
    if (tip.isForgotten) return null;
    const found = this.follow(lease, stored.tokens);
    if (found) return found;
    const entry = newEntry(tip, stored);
    tip.children.set(entry.key, entry);
    this.#pages += entry.pages.length;
    this.#hold(lease, entry);
    return entry.pages;
  }

  /**
   * Ends a lease.
   *
   * @returns Pages that are free now: those of forgotten entries. All others are kept.
   */
  release(lease: Lease): number[] {
    const freed: number[] = [];
    let entry = lease.tip;
    // From the tip on: what follows an entry leaves before it.
    for (; entry.parent; entry = entry.parent) {
      entry.holders -= 1;
      if (entry.holders > 0) continue;
      if (entry.isForgotten) {
        freed.push(...entry.pages);
      } else {
        this.#idle.add(entry);
        this.#idlePages += entry.pages.length;
      }
    }
    lease.tip = entry;
    lease.length = 0;
    return freed;
  }

  /**
   * Forgets everything that begins as the lease does, which may be damaged.
   *
   * @returns Pages that are free now; those that leases reach are free with these.
   */
  forget({ tip }: Lease): number[] {
    let top = tip;
    while (top.parent?.parent) top = top.parent;
    if (!top.parent || top.isForgotten) return [];
    top.parent.children.delete(top.key);
    const freed: number[] = [];
    const left = [top];
    for (let entry = left.pop(); entry; entry = left.pop()) {
      left.push(...entry.children.values());
      entry.isForgotten = true;
      this.#pages -= entry.pages.length;
      if (this.#leaveIdle(entry)) freed.push(...entry.pages);
    }
    return freed;
  }

  /**
   * Lets the entry leave that was not used for longest.
   *
   * @returns Its pages; none where all entries are held.
   */
  evict(): readonly number[] {
    const [entry] = this.#idle;
    if (!entry) return [];
    this.#leaveIdle(entry);
    entry.parent?.children.delete(entry.key); // A root is never idle.
    this.#pages -= entry.pages.length;
    this.#evictedPages += entry.pages.length;
    return entry.pages;
  }

  #hold(lease: Lease, entry: Entry): void {
    this.#leaveIdle(entry);
    entry.holders += 1;
    lease.tip = entry;
    lease.length += 1;
  }

  /** Whether the entry was idle. */
  #leaveIdle(entry: Entry): boolean {
    if (!this.#idle.delete(entry)) return false;
    this.#idlePages -= entry.pages.length;
    return true;
  }
}

function newEntry(parent: Entry | null, { tokens, pages }: Stored): Entry {
  const key = keyOf(tokens);
  return { parent, key, pages, children: new Map(), holders: 0, isForgotten: false };
}

function keyOf(tokens: readonly number[]): string {
  return tokens.join();
}
