import { assert } from "@std/assert";
import { EngineLoop } from "../../src/engine/engine.ts";
import type { EngineLoad } from "../../src/engine/protocol.ts";
import type {
  BlockEvent,
  EndEvent,
  SequenceError,
  SequenceEvent,
  SequenceRequest,
  StepEvent,
} from "../../src/engine/request.ts";
import type { ScoreRequest, ScoreTexts, TextScore } from "../../src/engine/score.ts";
import { nextTurn } from "../../src/engine/worker.ts";
import type { PassPlan } from "../../src/model/denoiser.ts";
import { type DenoiserScript, ScriptedDenoiser } from "./scripted_denoiser.ts";
import { scriptedScore } from "./scripted_score.ts";

/** Number of the first scoring: there are fewer sequences. */
const FIRST_SCORING = 1_000_000;

/** What became of a sequence so far. */
export class Followed {
  readonly events: SequenceEvent[] = [];
  readonly #ended = Promise.withResolvers<void>();
  error: SequenceError | null = null;

  constructor(readonly id: number) {}

  /** Resolves at the end of the sequence, whatever it is. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** Its end, if that was none by an error. */
  get end(): EndEvent | undefined {
    return this.events.find((event) => event.type === "end");
  }

  get blocks(): BlockEvent[] {
    return this.events.filter((event) => event.type === "block");
  }

  get steps(): StepEvent[] {
    return this.events.filter((event) => event.type === "step");
  }

  /** Tokens of all blocks. */
  get tokens(): number[] {
    return this.blocks.flatMap(({ tokens }) => tokens);
  }

  push(event: SequenceEvent): void {
    assert(!this.error && !this.end, `sequence ${this.id} goes on after its end`);
    this.events.push(event);
    if (event.type === "end") this.#ended.resolve();
  }

  fail(error: SequenceError): void {
    assert(!this.error && !this.end, `sequence ${this.id} fails after its end`);
    this.error = error;
    this.#ended.resolve();
  }
}

/** The engine's loop on a scripted denoiser, and a clock that stands still unless it is set. */
export class ScriptedLoop implements AsyncDisposable {
  readonly denoiser: ScriptedDenoiser;
  readonly loop: EngineLoop;
  readonly clock = { ms: 0 };
  /** Called after every event, and like a message never amid the events of one pass. */
  onEvent: (sequence: Followed, event: SequenceEvent) => void = () => {};
  /** What the loop told of what it holds, in order. */
  readonly loads: EngineLoad[] = [];
  /** The bursts so far: the passes of each. */
  readonly recorded: (readonly PassPlan[])[] = [];
  /** Settles when the loop ends. */
  readonly running: Promise<void>;
  readonly #followed: Followed[] = [];
  readonly #scorings = new Map<number, PromiseWithResolvers<readonly TextScore[] | null>>();

  constructor(script: DenoiserScript & { readonly score?: ScoreTexts } = {}) {
    this.denoiser = new ScriptedDenoiser({
      onRecord: (passes) => this.recorded.push(passes),
      ...script,
    });
    this.loop = new EngineLoop(this.denoiser, {
      score: script.score ?? scriptedScore,
      listener: {
        onScored: (id, scores) => this.#scorings.get(id)!.resolve(scores),
        onEvent: (id, event) => {
          const sequence = this.#followed[id]!; // Ids are handed out by submit().
          sequence.push(event);
          queueMicrotask(() => this.onEvent(sequence, event));
        },
        onError: (id, error) => {
          this.#scorings.get(id)?.reject(error);
          this.#followed[id]?.fail(error);
        },
        onLoad: (load) => this.loads.push(load),
      },
      now: () => this.clock.ms,
      nextTurn,
    });
    this.running = this.loop.run();
    // Tests that lose the device look at it themselves.
    this.running.catch(() => {});
  }

  submit(request: SequenceRequest): Followed {
    const sequence = new Followed(this.#followed.length);
    this.#followed.push(sequence);
    this.loop.submit(sequence.id, request);
    return sequence;
  }

  /** Lines a scoring up, whose scores are `null` if it is cancelled. */
  score(request: ScoreRequest): { id: number; scores: Promise<readonly TextScore[] | null> } {
    // Never the number of a sequence.
    const id = FIRST_SCORING + this.#scorings.size;
    const scores = Promise.withResolvers<readonly TextScore[] | null>();
    scores.promise.catch(() => {}); // Looked at by tests that expect it.
    this.#scorings.set(id, scores);
    this.loop.score(id, request);
    return { id, scores: scores.promise };
  }

  /** Runs requests side by side to their ends. */
  async finish(requests: readonly SequenceRequest[]): Promise<Followed[]> {
    const sequences = requests.map((request) => this.submit(request));
    await Promise.all(sequences.map(({ ended }) => ended));
    return sequences;
  }

  /** Checks that nothing is held any more. */
  assertIdle(): void {
    const { openSlots, freePages, limits } = this.denoiser;
    assert(openSlots === 0, `${openSlots} slots are open`);
    assert(freePages === limits.pages, `${freePages} pages of ${limits.pages} are free`);
    const { running, waiting } = this.loop.load;
    assert(running === 0 && waiting === 0, `${running} run and ${waiting} wait`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.loop.close();
    await this.running;
  }
}
