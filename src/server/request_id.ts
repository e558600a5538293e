/** Fills new bytes with randomness that cannot be guessed. */
export type RandomBytes = (count: number) => Uint8Array;

/** The client's own request id where it gave a usable one, otherwise a fresh one. */
export function requestId(headers: Headers, randomBytes: RandomBytes): string {
  const given = headers.get("x-request-id");
  if (given !== null && /^[A-Za-z0-9._-]{1,128}$/.test(given)) return given;
  return randomName("req_", randomBytes);
}

/** A name that nobody can guess: `prefix` and 128 random bits in base64url. */
export function randomName(prefix: string, randomBytes: RandomBytes): string {
  const characters = randomBytes(16).toBase64({ alphabet: "base64url", omitPadding: true });
  return prefix + characters;
}
