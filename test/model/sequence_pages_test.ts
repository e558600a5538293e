import { assert, assertEquals, assertThrows } from "@std/assert";
import { SequencePages } from "../../src/model/sequence_pages.ts";
import { tokensFrom } from "../support/copy_request.ts";
import { ScriptedPages } from "../support/scripted_pages.ts";

const PAGE = 32;

function open(
  { pages, keeps = true }: { readonly pages: number; readonly keeps?: boolean },
): { store: ScriptedPages; pages: SequencePages } {
  const store = new ScriptedPages(pages);
  return { store, pages: new SequencePages(store, { keeps }) };
}

/** A sequence that needs `count` pages and never comes round them. */
function demand(prompt: readonly number[], { count, blockSize = 4 }: {
  readonly count: number;
  readonly blockSize?: number;
}) {
  return { prompt, blockSize, count, positions: count * PAGE };
}

const LONG = tokensFrom(0, 100);

Deno.test("SequencePages shares a prompt once the passes that store it are submitted", () => {
  const { pages, store } = open({ pages: 20 });
  pages.open(0, demand(LONG, { count: 4 }));
  assertEquals(pages.reuse(0, 0), 0);
  const submitted = pages.storing(0, 68);
  pages.open(1, demand(LONG, { count: 4 }));
  assertEquals(pages.reuse(1, 0), 0, "not submitted");
  submitted();
  pages.open(2, demand(LONG, { count: 4 }));
  assertEquals(pages.reuse(2, 0), 64, "the third page is not complete");
  assertEquals(pages.reuse(2, 64), 0);
  assertEquals(store.table(2).slice(0, 2), store.table(0).slice(0, 2));
  assertEquals(new Set([...store.table(2), ...store.table(0)]).size, 6);
  assertEquals(pages.freePages, 20 - 4 - 4 - 2);
  // The one that came too early has not begun: it goes over to the same pages.
  assertEquals(pages.reuse(1, 0), 64);
  assertEquals(pages.freePages, 20 - 4 - 2 - 2);
  assertEquals(pages.kept, { pages: 2, evictedPages: 0, queryTokens: 300, hitTokens: 128 });
});

Deno.test("SequencePages lets a sequence go over amid its prompt, at a page's beginning only", () => {
  const { pages } = open({ pages: 20 });
  // All pages alike: only their places tell them apart.
  const prompt = tokensFrom(0, 100).fill(7);
  for (const slot of [0, 1]) pages.open(slot, demand(prompt, { count: 4 }));
  const [ofFirst, ofSecond] = [pages.storing(0, 96), pages.storing(1, 32)];
  ofFirst();
  assertEquals(pages.reuse(1, 32), 0, "its own rows are not submitted");
  ofSecond();
  assertEquals(pages.reuse(1, 36), 0);
  assertEquals(pages.reuse(1, 32), 64);
  assertEquals(pages.freePages, 20 - 4 - 1);
});

Deno.test("SequencePages keeps one page where two have stored the same", () => {
  const { pages, store } = open({ pages: 20 });
  for (const slot of [0, 1]) pages.open(slot, demand(LONG, { count: 4 }));
  pages.storing(0, 96)();
  pages.storing(1, 96)();
  assertEquals(store.table(0).slice(0, 3), store.table(1).slice(0, 3));
  assertEquals([pages.freePages, pages.kept.pages], [20 - 4 - 1, 3]);
});

Deno.test("SequencePages never shares what a sequence had recorded when it was cancelled", () => {
  const { pages } = open({ pages: 8 });
  pages.open(0, demand(LONG, { count: 4 }));
  const submitted = pages.storing(0, 96);
  pages.close(0, { tokens: [], reach: 96 });
  submitted();
  assertEquals([pages.freePages, pages.kept.pages], [8, 0]);
});

Deno.test("SequencePages keeps what a sequence has generated", () => {
  const { pages } = open({ pages: 8 });
  pages.open(0, demand(LONG.slice(0, 36), { count: 4 }));
  pages.close(0, { tokens: LONG.slice(0, 97), reach: 104 });
  assertEquals([pages.freePages, pages.kept.pages], [8, 3]);
  pages.open(1, demand(LONG, { count: 4 }));
  assertEquals(pages.reuse(1, 0), 96);
  assertEquals(pages.freePages, 4);
});

Deno.test("SequencePages shares pages between texts of one block size only", () => {
  const { pages } = open({ pages: 20 });
  pages.open(0, demand(LONG, { count: 4, blockSize: 8 }));
  pages.storing(0, 96)();
  pages.open(1, demand(LONG, { count: 4, blockSize: 16 }));
  assertEquals(pages.reuse(1, 0), 0);
});

for (const [blockSize, unit] of [[1, 32], [32, 32], [64, 64], [12, 96], [5, 160]] as const) {
  Deno.test(`SequencePages shares ${unit} tokens at a time of ${blockSize}-blocks`, () => {
    const { pages } = open({ pages: 40 });
    const prompt = tokensFrom(0, 330);
    const whole = Math.floor(330 / unit) * unit;
    pages.open(0, demand(prompt, { count: 11, blockSize }));
    pages.storing(0, 330)();
    assertEquals(pages.kept.pages, whole / PAGE);
    pages.open(1, demand(prompt.slice(0, whole - 1), { count: 11, blockSize }));
    assertEquals(pages.reuse(1, 0), whole - unit);
  });
}

Deno.test("SequencePages makes room by what was not used for longest", () => {
  const { pages } = open({ pages: 6 });
  for (const first of [0, 1000]) {
    pages.open(0, demand(tokensFrom(first, 64), { count: 2 }));
    pages.close(0, { tokens: tokensFrom(first, 64), reach: 64 });
  }
  assertEquals([pages.freePages, pages.kept.pages], [6, 4]);
  pages.open(0, demand(tokensFrom(0, 64), { count: 2 }));
  pages.open(1, demand(tokensFrom(2000, 64), { count: 3 }));
  assertEquals(pages.kept.evictedPages, 1);
  assertEquals(pages.freePages, 1);
  pages.close(1, { tokens: [], reach: 64 });
  pages.open(1, demand(tokensFrom(1000, 64), { count: 2 }));
  assertEquals(pages.reuse(1, 0), 32, "the end of the other text made room");
});

Deno.test("SequencePages.hasRoom() counts what others hold of the same prompt", () => {
  const { pages } = open({ pages: 5 });
  pages.open(0, demand(LONG, { count: 4 }));
  assert(!pages.hasRoom(demand(LONG, { count: 4 })));
  pages.storing(0, 96)();
  assert(pages.hasRoom(demand(LONG, { count: 4 })));
  assert(!pages.hasRoom(demand(LONG.slice(0, 64), { count: 4 })));
  // A ring shares nothing.
  assert(!pages.hasRoom({ ...demand(LONG, { count: 4 }), positions: 129 }));
  pages.open(1, demand(LONG, { count: 4 }));
  assertEquals(pages.freePages, 0);
  assertThrows(() => pages.open(2, demand([], { count: 1 })), RangeError, "0 are free");
});

Deno.test("SequencePages gives a ring copies, and keeps what it has where it did not come round", () => {
  const { pages, store } = open({ pages: 12 });
  const ring = { ...demand(LONG, { count: 4 }), positions: 300 };
  pages.open(0, demand(LONG, { count: 4 }));
  pages.storing(0, 96)();
  pages.open(1, ring);
  assertEquals(pages.reuse(1, 0), 96);
  assertEquals(
    store.copies,
    store.table(0).slice(0, 3).map((page, i) => [page, store.table(1)[i]]),
  );
  assertEquals(new Set([...store.table(0), ...store.table(1)]).size, 8);
  pages.storing(1, 96)();
  for (const slot of [0, 1]) pages.close(slot, { tokens: LONG, reach: 128 });
  assertEquals([pages.freePages, pages.kept.pages], [12, 3]);
  pages.open(0, { ...ring, prompt: tokensFrom(500, 100) });
  pages.close(0, { tokens: tokensFrom(500, 120), reach: 129 });
  assertEquals([pages.freePages, pages.kept.pages], [12, 3], "it may have come round");
  pages.open(0, { ...ring, prompt: tokensFrom(500, 100) });
  pages.close(0, { tokens: tokensFrom(500, 120), reach: 128 });
  assertEquals([pages.freePages, pages.kept.pages], [12, 6]);
});

Deno.test("SequencePages takes for a ring even the pages that it would have copied", () => {
  const { pages, store } = open({ pages: 4 });
  pages.open(0, demand(LONG, { count: 4 }));
  pages.close(0, { tokens: LONG, reach: 104 });
  pages.open(0, { ...demand(LONG, { count: 4 }), positions: 300 });
  assertEquals([pages.reuse(0, 0), store.copies], [0, []]);
  pages.close(0, { tokens: [], reach: 0 });
  assertEquals([pages.freePages, pages.kept.pages], [4, 0]);
});

Deno.test("SequencePages copies for a ring no further than it reaches", () => {
  const { pages } = open({ pages: 20 });
  pages.open(0, demand(tokensFrom(0, 320), { count: 10 }));
  pages.storing(0, 320)();
  pages.open(1, { ...demand(tokensFrom(0, 320), { count: 4 }), positions: 400 });
  assertEquals(pages.reuse(1, 0), 128);
});

for (const isRing of [false, true]) {
  const name = isRing ? "a ring" : "a sequence";
  Deno.test(`SequencePages forgets what ${name} that failed has found`, () => {
    const { pages } = open({ pages: 12 });
    const needed = { ...demand(LONG, { count: 4 }), positions: isRing ? 300 : 128 };
    pages.open(0, demand(LONG, { count: 4 }));
    pages.close(0, { tokens: LONG, reach: 104 });
    pages.open(0, needed);
    assertEquals(pages.reuse(0, 0), 96);
    pages.close(0, null);
    assertEquals([pages.freePages, pages.kept.pages], [12, 0]);
    pages.open(0, needed);
    assertEquals(pages.reuse(0, 0), 0);
  });
}

Deno.test("SequencePages that keeps nothing shares nothing", () => {
  const { pages } = open({ pages: 8, keeps: false });
  pages.open(0, demand(LONG, { count: 4 }));
  pages.storing(0, 96)();
  pages.close(0, { tokens: LONG, reach: 104 });
  pages.open(0, demand(LONG, { count: 4 }));
  assertEquals(pages.reuse(0, 0), 0);
  assertEquals(pages.kept, { pages: 0, evictedPages: 0, queryTokens: 0, hitTokens: 0 });
});
