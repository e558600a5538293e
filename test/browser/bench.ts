import { assert, assertEquals } from "@std/assert";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { findBrowser, missingBrowser } from "../../src/commands/browser_setup.ts";
import { thisSystem } from "../../src/commands/system_packages.ts";
import { TestServer } from "../support/test_server.ts";

/** How long the slowest machine takes to do what takes a moment. */
const PATIENCE_MS = 20_000;

/** The key of the server that needs one. */
export const API_KEY = "a-key-of-the-tests";

/** A browser, and servers with the test model: one for everybody, one that is slow and needs a key. */
export interface Bench {
  readonly browser: Browser;
  readonly server: TestServer;
  readonly slowServer: TestServer;
}

/** A check of the page in a browser. */
export type Check = (bench: Bench) => Promise<void>;

/** Starts everything, lets `use` have it, and ends it. */
export async function withBench(use: (bench: Bench) => Promise<void>): Promise<void> {
  const environment = Deno.env.toObject();
  const executablePath = findBrowser(environment);
  assert(executablePath !== null, missingBrowser(thisSystem(environment)));
  const [browser, server, slowServer] = await Promise.all([
    // Chromium's own sandbox wants more rights than a container's root has.
    chromium.launch({ executablePath, args: ["--no-sandbox"] }),
    TestServer.start("--test-step-ms", "4"),
    TestServer.startIn({ BD_API_KEYS: API_KEY }, "--test-step-ms", "150"),
  ]);
  await using _server = server;
  await using _slowServer = slowServer;
  try {
    await use({ browser, server, slowServer });
  } finally {
    await browser.close();
  }
}

/** The playground in a tab of its own, which minds what goes wrong there. */
export class Tab implements AsyncDisposable {
  readonly page: Page;
  /** Every request of the page. */
  readonly requests: { readonly method: string; readonly url: string; readonly body: string }[] =
    [];
  readonly #origin: string;
  readonly #problems: string[] = [];

  private constructor(page: Page, address: string) {
    this.page = page;
    this.#origin = new URL(address).origin;
    page.on("request", (request) => {
      const [method, url] = [request.method(), request.url()];
      this.requests.push({ method, url, body: request.postData() ?? "" });
    });
    page.on("pageerror", ({ message }) => this.#problems.push(message));
    page.on("console", (message) => {
      // The browser tells of every refusal; what the page makes of it is tested.
      const isRefusal = message.text().startsWith("Failed to load resource");
      if (message.type() === "error" && !isRefusal) this.#problems.push(message.text());
    });
  }

  /** Opens the page of the server at `address`. */
  static async open(
    { browser }: Bench,
    address: string,
    options: BrowserContextOptions = {},
  ): Promise<Tab> {
    const context = await browser.newContext({
      viewport: { width: 1280, height: 800 },
      reducedMotion: "reduce",
      ...options,
    });
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    const tab = new Tab(page, address);
    await page.goto(address);
    return tab;
  }

  /** Waits until the model is known. */
  async ready(): Promise<void> {
    await this.page.locator("#generate").waitFor();
  }

  /** Gives the key that the server asks for, and waits until the model is known. */
  async unlock(): Promise<void> {
    const key = this.page.getByLabel("API key");
    await key.fill(API_KEY);
    await key.press("Enter");
    await this.ready();
  }

  /** Opens a fold of the page, if it is not open. */
  async unfold(selector: string): Promise<void> {
    const fold = this.page.locator(selector);
    if (await fold.getAttribute("open") === null) await fold.locator("> summary").click();
  }

  /** Waits until the text of the element that `selector` finds matches. */
  async says(selector: string, text: RegExp): Promise<void> {
    await this.page.locator(selector).filter({ hasText: text }).waitFor();
  }

  /** What a mode has generated: the text of its finished blocks. */
  async textOf(selector: string): Promise<string> {
    return (await this.page.locator(`${selector} .block`).allTextContents()).join("");
  }

  /** Closes it and checks that nothing went wrong, and that nobody else was asked. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.page.context().close();
    assertEquals(this.#problems, []);
    const foreign = this.requests.filter(({ url }) =>
      !url.startsWith("data:") && new URL(url).origin !== this.#origin
    );
    assertEquals(foreign, []);
  }
}

/** `length` characters of `prompt` again and again: what the test model writes. */
export function copyOf(prompt: string, length: number): string {
  return prompt.repeat(Math.ceil(length / prompt.length)).slice(0, length);
}
