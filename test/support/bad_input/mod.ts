import type { Random } from "../random.ts";
import { bodyFaults } from "./body_faults.ts";
import { areOrdered, type BadInput, type Fault, firstOf, toRequest } from "./draft.ts";
import { type Endpoint, ENDPOINTS, goodDraft } from "./endpoints.ts";
import { fieldFaults } from "./field_faults.ts";
import { generationFaults } from "./generation_faults.ts";
import { requestFaults } from "./request_faults.ts";
import { tokenFaults } from "./token_faults.ts";
import { unicodeFaults } from "./unicode_faults.ts";

export type { BadInput } from "./draft.ts";
export { ENDPOINTS, goodDraft } from "./endpoints.ts";
export { MAX_BODY_BYTES } from "./request_faults.ts";

/** Requests with each thing that can be wrong with a body, in a body that is right otherwise. */
export function singleFaults(random: Random): BadInput[] {
  return ENDPOINTS.flatMap((endpoint) =>
    allFaults(random, endpoint).map((fault) => badInput(random, endpoint, [fault]))
  );
}

/**
 * Requests with two or three things that are wrong with them: they must be refused for the one that
 * is looked at first.
 */
export function severalFaults(random: Random, count: number): BadInput[] {
  const faults = ENDPOINTS.map((endpoint) => allFaults(random, endpoint));
  return Array.from({ length: count }, () => {
    const i = random.below(ENDPOINTS.length);
    const endpoint = ENDPOINTS[i]!; // Below the length, and there are faults for each.
    const chosen: Fault[] = [];
    for (let tries = 0; tries < 8 && chosen.length < 3; tries += 1) {
      const fault = random.pick(faults[i]!);
      if (chosen.every((each) => areOrdered(each, fault) && areApart(each, fault))) {
        chosen.push(fault);
      }
    }
    return badInput(random, endpoint, chosen);
  });
}

function allFaults(random: Random, endpoint: Endpoint): Fault[] {
  return [
    ...fieldFaults(endpoint),
    ...(endpoint.generates ? generationFaults(endpoint) : []),
    ...tokenFaults(endpoint),
    ...unicodeFaults(endpoint),
    ...bodyFaults(random),
    ...requestFaults(),
  ];
}

/** Whether one fault leaves alone what the other needs. */
function areApart(a: Fault, b: Fault): boolean {
  return !a.fields.some((name) => b.fields.includes(name));
}

function badInput(random: Random, endpoint: Endpoint, faults: readonly Fault[]): BadInput {
  const draft = goodDraft(random, endpoint);
  for (const fault of faults) fault.spoil(draft);
  const { code, param } = firstOf(faults);
  const name = `${endpoint.path}: ${faults.map((fault) => fault.name).join(" and ")}`;
  return { name, request: toRequest(draft), code, ...(param !== undefined && { param }) };
}
