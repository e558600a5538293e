/** SHA-256 of the UTF-8 of `text` in lower-case hex, as a client works it out. */
export async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(digest).toHex();
}
