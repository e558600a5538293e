import { z } from "zod";

/** A JSON object of the document. */
export type Json = { readonly [name: string]: unknown };

/** Where a schema of this name is found in the document. */
export function schemaReference(name: string): { readonly $ref: string } {
  return { $ref: `#/components/schemas/${name}` };
}

/**
 * The JSON Schemas, draft 2020-12, of what enters the server or leaves it. Those of the list that
 * are part of others are referred to.
 */
export function toJsonSchemas(
  schemas: Readonly<Record<string, z.ZodType>>,
): Readonly<Record<string, Json>> {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(schemas)) registry.add(schema, { id });
  const { schemas: converted } = z.toJSONSchema(registry, {
    // Fields with a default may be left out, and answers may get more fields some day.
    io: "input",
    uri: (id) => schemaReference(id).$ref,
    override: ({ zodSchema, jsonSchema }) => dropImplicitBounds(zodSchema, jsonSchema),
  });
  return Object.fromEntries(
    // The dialect is that of the whole document, and the name is the schema's key in it.
    Object.entries(converted).map(([name, { $schema: _, $id: __, ...schema }]) => [name, schema]),
  );
}

/** Drops the bounds that zod gives to every integer: what a double holds exactly limits no field. */
function dropImplicitBounds(schema: z.core.$ZodType, json: z.core.JSONSchema.BaseSchema): void {
  const { type, checks = [] } = schema._zod.def;
  if (type !== "number") return;
  const asked = checks.map((check) => check._zod.def.check);
  if (json.minimum === Number.MIN_SAFE_INTEGER && !asked.includes("greater_than")) {
    delete json.minimum;
  }
  if (json.maximum === Number.MAX_SAFE_INTEGER && !asked.includes("less_than")) {
    delete json.maximum;
  }
}
