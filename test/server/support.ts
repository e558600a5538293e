import type { Hono } from "hono";
import { type AppOptions, createApp } from "../../src/server/app.ts";
import type { AppEnv } from "../../src/server/context.ts";
import type { LoadedModel } from "../../src/server/loaded_models.ts";
import type { ChatTemplate } from "../../src/text/chat_template.ts";
import { DEFAULT_SETTINGS, type ServerSettings } from "../../src/server/settings.ts";
import { type Script, ScriptedEngine } from "../support/scripted_engine.ts";

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Tokens that are bytes; 256 and above are special and have no text. */
export const byteTokenizer: LoadedModel["tokenizer"] = {
  encode: (text) => [...new TextEncoder().encode(text)],
  piece: (token) => token < 256 ? decoder.decode(Uint8Array.of(token)) : "",
  bytes: (token) => token < 256 ? Uint8Array.of(token) : new Uint8Array(),
  decode: (tokens) => decoder.decode(Uint8Array.from(tokens.filter((each) => each < 256))),
};

/** An app on a scripted engine, and what it logged. */
export interface TestApp {
  readonly app: Hono<AppEnv>;
  readonly engine: ScriptedEngine;
  readonly logLines: string[];
  /** Sends a request that passes the host check. */
  send(path: string, init?: RequestInit): Promise<Response>;
  /** POSTs JSON, or text as it is. */
  post(body: unknown, path?: string): Promise<Response>;
}

/** Makes a {@linkcode TestApp}; what is not given is as in a server started without flags. */
export function testApp(
  { script, settings, chat = null, ...options }:
    & { script?: Script; settings?: Partial<ServerSettings>; chat?: ChatTemplate | null }
    & Partial<Omit<AppOptions, "settings">> = {},
): TestApp {
  const engine = new ScriptedEngine(script);
  const logLines: string[] = [];
  const app = createApp({
    models: [{ engine, tokenizer: byteTokenizer, chat }],
    settings: { ...DEFAULT_SETTINGS, ...settings },
    version: "1.2.3",
    writeLog: (line) => logLines.push(line),
    ...options,
  });
  const send = async (path: string, init: RequestInit = {}) => {
    const headers = new Headers(init.headers);
    if (!headers.has("host")) headers.set("host", "localhost:8000");
    return await app.request(`http://localhost:8000${path}`, { ...init, headers });
  };
  const post = (body: unknown, path = "/v1/blocks") =>
    send(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
  return { app, engine, logLines, send, post };
}

/** An event as a client reads it. */
export interface ReadEvent {
  readonly event: string;
  readonly id: string | null;
  // deno-lint-ignore no-explicit-any -- tests look into whatever came
  readonly data: any;
}

/** Reads the events of a whole stream, without its `retry:` line and comments. */
export function parseEvents(text: string): ReadEvent[] {
  return text.split("\n\n").filter((part) => part.includes("data: ")).map((part) => {
    const field = (name: string) =>
      part.split("\n").find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
    return {
      event: field("event") ?? "",
      id: field("id") ?? null,
      data: JSON.parse(field("data") ?? ""),
    };
  });
}

/** The refusal in a response's body. */
export async function errorOf(
  response: Response,
): Promise<{ message: string; type: string; param: string | null; code: string }> {
  return (await response.json()).error;
}
