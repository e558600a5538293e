import type {
  Burst,
  Denoiser,
  DenoiserLimits,
  DeviceMemory,
  LaneResult,
  PassPlan,
  PrefixCacheUse,
  Remains,
} from "../../src/model/denoiser.ts";
import type { SequenceOptions } from "../../src/model/sequence_state.ts";

/** Another denoiser, which can be interfered with. */
export class FaultyDenoiser implements Denoiser {
  readonly #denoiser: Denoiser;
  /** By slot, who is in it. */
  readonly #tenants = new Map<number, symbol>();
  readonly #afterSubmit: (burst: number) => void;
  #isFailing = false;
  #recorded = 0;

  /** @param options `afterSubmit`: called when burst number `burst`, from 0, was submitted. */
  constructor(
    denoiser: Denoiser,
    { afterSubmit = () => {} }: { readonly afterSubmit?: (burst: number) => void } = {},
  ) {
    this.#denoiser = denoiser;
    this.#afterSubmit = afterSubmit;
  }

  get limits(): DenoiserLimits {
    return this.#denoiser.limits;
  }

  get freePages(): number {
    return this.#denoiser.freePages;
  }

  get prefixCache(): PrefixCacheUse {
    return this.#denoiser.prefixCache;
  }

  get memory(): DeviceMemory {
    return this.#denoiser.memory;
  }

  /** Makes the next denoising step of one sequence fail, as if its numbers were not finite. */
  failNextStep(): void {
    this.#isFailing = true;
  }

  firstBlockStart(options: SequenceOptions): number {
    return this.#denoiser.firstBlockStart(options);
  }

  rowsFor(options: SequenceOptions): number {
    return this.#denoiser.rowsFor(options);
  }

  pagesFor(options: SequenceOptions): number {
    return this.#denoiser.pagesFor(options);
  }

  hasRoom(options: SequenceOptions): boolean {
    return this.#denoiser.hasRoom(options);
  }

  reuse(slot: number, position: number): number {
    return this.#denoiser.reuse(slot, position);
  }

  open(slot: number, options: SequenceOptions): void {
    this.#denoiser.open(slot, options);
    this.#tenants.set(slot, Symbol());
  }

  close(slot: number, remains: Remains | null): void {
    this.#tenants.delete(slot);
    this.#denoiser.close(slot, remains);
  }

  record(passes: readonly PassPlan[]): Burst {
    const tenants = new Map(this.#tenants);
    const burst = this.#denoiser.record(passes);
    const number = this.#recorded++;
    return {
      submit: () => {
        burst.submit();
        this.#afterSubmit(number);
      },
      read: async () => {
        const results = await burst.read();
        return results.map((lanes) => lanes.map((lane) => this.#spoil(lane, tenants)));
      },
    };
  }

  [Symbol.dispose](): void {
    this.#denoiser[Symbol.dispose]();
  }

  #spoil(lane: LaneResult, tenants: ReadonlyMap<number, symbol>): LaneResult {
    // Of a sequence that was cancelled meanwhile nobody would notice.
    const isAwaited = tenants.get(lane.slot) === this.#tenants.get(lane.slot);
    if (!this.#isFailing || lane.status !== "denoised" || !isAwaited) return lane;
    this.#isFailing = false;
    return { ...lane, status: "failed" };
  }
}
