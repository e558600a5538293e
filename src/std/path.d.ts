/** Last part of a path. */
export function basename(path: string, suffix?: string): string;
/** Path without its last part. */
export function dirname(path: string): string;
/** File extension, with its dot. */
export function extname(path: string): string;
/** URL with the `file:` scheme → path. */
export function fromFileUrl(url: string | URL): string;
/** Whether the path starts at the root. */
export function isAbsolute(path: string): boolean;
/** Joins and normalises. */
export function join(path: string | URL, ...paths: string[]): string;
/** Removes `.` and `..` parts. */
export function normalize(path: string): string;
/** Path of `to` seen from `from`. */
export function relative(from: string, to: string): string;
/** Absolute path. */
export function resolve(...paths: string[]): string;
/** Path → URL with the `file:` scheme. */
export function toFileUrl(path: string): URL;
