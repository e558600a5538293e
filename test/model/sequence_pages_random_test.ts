import { assert, assertEquals } from "@std/assert";
import { SequencePages } from "../../src/model/sequence_pages.ts";
import { mulberry32 } from "../support/mulberry32.ts";
import { ScriptedPages } from "../support/scripted_pages.ts";

const PAGE = 32;
const POOL = 24;
const SLOTS = 5;
/** Positions that a block sees before it. */
const WINDOW = 96;

/** A sequence as the engine drives it. */
interface Actor {
  readonly slot: number;
  readonly blockSize: number;
  readonly text: readonly number[];
  /** Position of the first block that is generated, and the end of the last. */
  readonly start: number;
  readonly end: number;
  /** Prompt tokens planned; then the position of the block under way. */
  planned: number;
  stored: number;
}

/** What a position holds: all that it depends on. */
function wordAt({ text, blockSize }: Actor, position: number): string {
  const end = (Math.floor(position / blockSize) + 1) * blockSize;
  return `${blockSize}: ${text.slice(0, end).join()}`;
}

/** Sequences that come, are stored, generate, and end in every way, in the engine's order of things. */
class Simulation {
  readonly store = new ScriptedPages(POOL);
  readonly pages = new SequencePages(this.store, { keeps: true });
  readonly actors = new Map<number, Actor>();
  reused = 0;
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = mulberry32(seed);
  }

  below(bound: number): number {
    return Math.floor(this.#random() * bound);
  }

  /** One burst: who comes, what is recorded, who leaves meanwhile, what is submitted. */
  burst(): void {
    for (let slot = 0; slot < SLOTS; slot++) if (!this.actors.has(slot)) this.#admit(slot);
    const recorded = [...this.actors.values()].flatMap((actor) => this.#record(actor));
    for (const actor of this.actors.values()) {
      if (this.below(12) === 0) this.#close(actor, this.below(4) > 0);
    }
    for (const submit of recorded) submit();
  }

  /** Ends everybody. */
  finish(): void {
    for (const actor of this.actors.values()) this.#close(actor, true);
  }

  #admit(slot: number): void {
    const blockSize = [4, 16, 64][this.below(3)]!;
    const begin = this.below(200);
    // Texts of few beginnings that go on alike for a while.
    const [family, turn] = [this.below(3), this.below(200)];
    const text = Array.from({ length: 400 }, (_, i) => i < turn ? family : 10 + this.below(2));
    const end = Math.ceil((begin + 1 + this.below(150)) / blockSize) * blockSize;
    const count = Math.ceil(Math.min(end, WINDOW + blockSize) / PAGE);
    const start = Math.floor(begin / blockSize) * blockSize;
    const demand = { prompt: text.slice(0, start), blockSize, count, positions: end };
    if (!this.pages.hasRoom(demand)) return;
    this.pages.open(slot, demand);
    this.actors.set(slot, { slot, blockSize, text, start, end, planned: 0, stored: 0 });
  }

  #record(actor: Actor): (() => void)[] {
    const { slot, blockSize, start, end } = actor;
    if (actor.planned < start) {
      const count = this.pages.reuse(slot, actor.planned);
      this.reused += count;
      actor.planned += count;
      actor.stored += count;
    }
    const from = actor.planned;
    if (from < start) {
      const room = Math.max(blockSize, this.store.table(slot).length * PAGE - from - blockSize);
      const rows = Math.min(room, 16 * (1 + this.below(8)));
      const to = Math.min(start, from + Math.max(blockSize, rows - rows % blockSize));
      actor.planned = to;
      const share = this.pages.storing(slot, to);
      return [() => this.#store(actor, from, to), share];
    }
    if (from >= end) return [];
    actor.planned += blockSize;
    // The block as noise, then its commit.
    return [() => this.#generate(actor, from)];
  }

  #store(actor: Actor, from: number, to: number): void {
    this.#check(actor, from);
    for (let i = from; i < to; i++) this.store.write(actor.slot, i, wordAt(actor, i));
    actor.stored = Math.max(actor.stored, to);
  }

  #generate(actor: Actor, from: number): void {
    const to = from + actor.blockSize;
    for (let i = from; i < to; i++) this.store.write(actor.slot, i, "noise");
    this.#store(actor, from, to);
  }

  /** Everything that the block at a position sees is what it must be. */
  #check(actor: Actor, position: number): void {
    for (let i = Math.max(0, position - WINDOW + actor.blockSize); i < position; i++) {
      assertEquals(this.store.read(actor.slot, i), wordAt(actor, i));
    }
  }

  #close(actor: Actor, isSound: boolean): void {
    this.actors.delete(actor.slot);
    const remains = { tokens: actor.text.slice(0, actor.stored), reach: actor.planned };
    this.pages.close(actor.slot, isSound ? remains : null);
  }
}

Deno.test("SequencePages shows every sequence what it has stored itself, whatever others do", () => {
  let [reused, evicted] = [0, 0];
  for (let seed = 0; seed < 40; seed++) {
    const simulation = new Simulation(seed);
    for (let burst = 0; burst < 150; burst++) {
      simulation.burst();
      const { freePages, kept } = simulation.pages;
      assert(freePages >= 0 && freePages <= POOL && kept.pages <= POOL);
    }
    simulation.finish();
    const { freePages, kept } = simulation.pages;
    assertEquals(freePages, POOL);
    assertEquals(simulation.store.freePages + kept.pages, POOL);
    assertEquals(kept.hitTokens, simulation.reused);
    reused += simulation.reused;
    evicted += kept.evictedPages;
  }
  assert(reused > 10_000 && evicted > 1000, `${reused} tokens reused, ${evicted} pages evicted`);
});
