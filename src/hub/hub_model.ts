/** A model on a hub, at a branch, tag or commit. */
export interface HubModel {
  /** `organisation/name`. */
  readonly id: string;
  readonly revision: string;
}

/** Where a repository is without a revision named. */
export const MAIN = "main";

// What a hub allows. "--" separates the two in the cache's folder names.
const PART = /^(?!.*(--|\.\.))[A-Za-z0-9_][A-Za-z0-9_.-]{0,95}$/;
const REVISION_PART = /^(?!\.{1,2}$)[A-Za-z0-9_.+-]{1,200}$/;
const COMMIT = /^[0-9a-f]{40}$/;

/** Reads `organisation/name` or `organisation/name@revision`; null for any other text. */
export function parseHubModel(text: string): HubModel | null {
  const [, id = "", revision = MAIN] = /^([^@]*)(?:@([^]*))?$/.exec(text) ?? [];
  const parts = id.split("/");
  const isId = parts.length === 2 && parts.every((part) => PART.test(part));
  return isId && isRevision(revision) ? { id, revision } : null;
}

/** Whether `text` may name a branch, tag or commit, and is a safe path below `refs`. */
export function isRevision(text: string): boolean {
  return text.split("/").every((part) => REVISION_PART.test(part));
}

/** Whether `text` is the full hash of a commit. */
export function isCommit(text: string): boolean {
  return COMMIT.test(text);
}

/** `organisation/name`, and `@revision` where it is not the usual one. */
export function describeHubModel({ id, revision }: HubModel): string {
  return revision === MAIN ? id : `${id}@${revision}`;
}
