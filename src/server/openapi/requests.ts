import { z } from "zod";
import { StrategyOptions } from "../../diffusion/remasking/mod.ts";
import { ChatFields } from "../chat.ts";
import { Message, Messages, MOST_MESSAGES, UNSUPPORTED_FIELDS } from "../chat_messages.ts";
import { CompletionFields } from "../completions.ts";
import { NEUTRAL } from "../openai_fields.ts";
import { LONGEST_PROMPT } from "../query.ts";
import { BlocksFields, MODEL_FIRST, OPTION_NAMES, Stops } from "../schema.ts";

type Shape = Readonly<Record<string, z.ZodType>>;

/**
 * Lower limits of fields that are checked with the model at hand, since their upper limits are the
 * model's.
 */
const LEAST: Readonly<Record<string, number>> = {
  max_tokens: 1,
  max_completion_tokens: 1,
  top_k: 0,
  block_size: 1,
  sub_block_size: 1,
};

/** Options that models may have a default of. */
const OF_MODEL: readonly string[] = ["steps", "threshold"];

/** A message as clients send it, its empty fields included. */
export const ChatMessage = Message.extend(neutralFields(UNSUPPORTED_FIELDS))
  .describe("A message of a chat.");

/** A request to `/v1/completions`. */
export const CompletionRequest = withNeutral(complete(CompletionFields))
  .describe("Prompts to complete.");

/** A request to `/v1/chat/completions`. */
export const ChatCompletionRequest = withNeutral(complete(ChatFields))
  .extend({
    messages: z.array(ChatMessage).min(1).max(MOST_MESSAGES).describe(Messages.description!),
  })
  .describe("A chat to answer.");

/** A request to `POST /v1/blocks`. */
export const BlocksRequest = withNeutral(complete(BlocksFields))
  .describe("A text to generate.");

/** The same in the query of `GET /v1/blocks`. */
export const BlocksQuery = complete(BlocksFields).extend({
  prompt: z.string().default("").meta({ maxLength: LONGEST_PROMPT })
    .describe("Text to go on from; an empty one is allowed."),
  stop: Stops.optional()
    .describe("Ends the text before the first of these strings; once for each of them."),
});

/** The fields of a generating request with the options of all strategies, and all limits. */
function complete(fields: z.ZodObject<{ strategy: z.ZodType }>): z.ZodObject {
  const { strategy } = fields.shape;
  const limited = Object.entries(fields.shape)
    .filter(([name]) => name in LEAST)
    .map(([name, field]) => [name, field.meta({ minimum: LEAST[name] })]);
  return fields.extend({
    ...Object.fromEntries(limited),
    strategy: strategy.describe(`${strategy.description} It fills:\n\n${listStrategies()}`),
    ...Object.fromEntries(OPTION_NAMES.map((name) => [name, optionField(name)])),
  });
}

function listStrategies(): string {
  return StrategyOptions.options
    .map(({ shape, description }) => `- \`${shape.strategy.value}\`: ${description}`).join("\n");
}

/** An option of some strategies. Without its default, which would be refused with the others. */
function optionField(name: string): z.ZodType {
  const having = StrategyOptions.options.filter(({ shape }) => name in shape);
  const strategies = having.map(({ shape }) => shape.strategy.value);
  const names = strategies.map((name) => `\`${name}\``).join(", ");
  // All strategies mean the same by an option of this name, and none requires it.
  const { [name]: option }: Shape = having[0]!.shape;
  // The description may be that of a schema inside.
  const own = OF_MODEL.includes(name) ? ` ${MODEL_FIRST}` : "";
  const description = `${z.toJSONSchema(option!).description} Only with ${names}.${own}`;
  return option!.meta({ description, default: undefined, "x-strategies": strategies });
}

/** Adds the fields of OpenAI's that its endpoint does not implement. */
function withNeutral(request: z.ZodObject): z.ZodObject {
  return z.strictObject({ ...neutralFields(NEUTRAL), ...request.shape });
}

/** Fields that are accepted only at values, given as JSON, that change nothing. */
function neutralFields(fields: Readonly<Record<string, readonly string[]>>): Shape {
  const toField = (values: readonly string[]) => {
    const description = "Not implemented; accepted where it changes nothing.";
    const accepted = values.map((json) => JSON.parse(json));
    const allowed = accepted.length === 0 ? { type: "null" } : { enum: accepted };
    return z.unknown().optional().meta({ ...allowed, description });
  };
  return Object.fromEntries(
    Object.entries(fields).map(([name, values]) => [name, toField(values)]),
  );
}
