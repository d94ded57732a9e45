/** /openapi.json, made from the rows of the REST table: what validates is what is documented. */
import { z } from 'zod';
import { NDJSON } from './body.ts';
import type { Route } from './route.ts';
import { API_PREFIX, ROUTES } from './routes.ts';
import { meta, problem } from './views.ts';

type JsonSchema = Record<string, unknown>;

/** @returns an OpenAPI 3.1 document */
export function openApi(version: string): object {
  const schemas: Record<string, JsonSchema> = {};
  const schemaOf = (schema: z.ZodType, io: 'input' | 'output') =>
    hoist(z.toJSONSchema(schema, { io, unrepresentable: 'any' }), schemas);
  const problemResponse = {
    description: 'RFC 9457 problem details',
    content: { 'application/problem+json': { schema: schemaOf(problem, 'output') } },
  };
  const metaSchema = schemaOf(meta, 'output');
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of ROUTES) {
    const operations = (paths[API_PREFIX + route.path] ??= {});
    operations[route.method] = {
      summary: route.summary,
      operationId: operationId(route),
      parameters: [
        ...pathParameters(route),
        ...(route.query === undefined ? [] : queryParameters(schemaOf(route.query, 'input'))),
      ],
      ...(route.body !== undefined && {
        requestBody: {
          required: true,
          content: { [route.takesLines ? NDJSON : 'application/json']: { schema: schemaOf(route.body, 'input') } },
        },
      }),
      responses: {
        [route.status]: {
          description: route.summary,
          ...(route.tagged && { headers: { ETag: { schema: { type: 'string' } } } }),
          content: route.givesLines
            ? { [NDJSON]: { schema: schemaOf(route.data, 'output') } }
            : {
                'application/json': {
                  schema: {
                    type: 'object',
                    properties: { data: schemaOf(route.data, 'output'), meta: metaSchema },
                    required: ['data', 'meta'],
                    additionalProperties: false,
                  },
                },
              },
        },
        ...(route.tagged && { 304: { description: 'What the client has under the ETag that it named' } }),
        ...(route.notFound.length > 0 && { 404: { ...problemResponse, description: route.notFound.join(', ') } }),
        default: problemResponse,
      },
    };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'ai-debug', version, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    paths,
    components: { schemas, securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
    security: [{}, { bearer: [] }],
  };
}

/** Moves the named schemas within one to the document's, and points at them there. */
function hoist({ $schema: _, $defs = {}, ...schema }: JsonSchema, into: Record<string, JsonSchema>): JsonSchema {
  const text = JSON.stringify([schema, $defs]).replaceAll('"#/$defs/', '"#/components/schemas/');
  const [moved, definitions] = JSON.parse(text) as [JsonSchema, Record<string, JsonSchema>];
  for (const [name, { id: _, ...definition }] of Object.entries(definitions)) into[name] = definition;
  const { id, ...rest } = moved;
  if (typeof id !== 'string') return moved;
  into[id] = rest;
  return { $ref: `#/components/schemas/${id}` };
}

function operationId({ method, path }: Route): string {
  return `${method}${path.replace(/[/_{}-]+(\w)?/g, (_, letter: string | undefined) => letter?.toUpperCase() ?? '')}`;
}

function pathParameters({ path }: Route): object[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
}

function queryParameters({ properties = {}, required = [] }: JsonSchema): object[] {
  return Object.entries(properties as Record<string, JsonSchema>).map(([name, { description, ...schema }]) =>
    name === 'attributes'
      ? { name: 'attr.<key>', in: 'query', description, schema: { type: 'string' } }
      : {
          name,
          in: 'query',
          ...((required as string[]).includes(name) && { required: true }),
          ...(description !== undefined && { description }),
          schema,
        },
  );
}
