/** What handlers and middleware keep about one request. */
export interface Variables {
  /** Names the request in its response, in the log, and to the client's support. */
  requestId: string;
  /** Whose request it is: what its key digests to, or nothing where no key is needed. */
  owner: string;
  /** Pattern of the route that took the request; unset where none did. */
  route: string;
}

/** Types of Hono's context in this app. */
export interface AppEnv {
  Variables: Variables;
}
