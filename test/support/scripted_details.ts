import type { TokenDetails } from "../../src/model/denoiser.ts";

/** What scripted models hold of a token at this place of its block. */
export function scriptedDetails(token: number, place: number): TokenDetails {
  const logprob = -Math.log(place + 2);
  const top = [0, 1, 2, 3, 4].map((rank) => ({
    token: (token + rank) % 256,
    logprob: logprob - rank,
  }));
  return { entropy: place / 4, logprob, top };
}
