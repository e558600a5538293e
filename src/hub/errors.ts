/** What a hub refuses, or why it cannot be asked; the message is for people. */
export class HubError extends Error {
  override readonly name = "HubError";
  /** Whether the same request may well succeed a moment later. */
  readonly isTransient: boolean;

  constructor(message: string, { isTransient = false, ...options }: HubErrorOptions = {}) {
    super(message, options);
    this.isTransient = isTransient;
  }
}

interface HubErrorOptions extends ErrorOptions {
  readonly isTransient?: boolean;
}
