/** Encodes bytes as unpadded base64url. */
export function encodeBase64Url(data: ArrayBuffer | Uint8Array | string): string;
