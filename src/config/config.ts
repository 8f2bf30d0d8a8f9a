import { z } from 'zod';
import { CameraError } from '../errors.js';
import { describeFaults, joinFaults } from './faults.js';
import { readJson } from './json-document.js';
import { settings, type FloorKey, type Setting, type SettingKey } from './table.js';

type Shape = { readonly [K in SettingKey]: (typeof settings)[K]['schema'] };

const rows = Object.entries(settings) as readonly [SettingKey, Setting][];
const shape = Object.fromEntries(
  rows.map(([key, { schema, unit, effect, doc, floor }]) => [
    key,
    schema.meta({
      description: doc,
      effect,
      ...(unit === '' ? {} : { unit }),
      ...(floor === undefined ? {} : { floor }),
    }),
  ]),
) as unknown as Shape;
const configSchema = z.strictObject(shape);

/** A complete, checked configuration: defaults filled, floor kept. */
export type Config = Readonly<z.infer<typeof configSchema>>;

/**
 * Smallest values that the image of a device allows. They can raise the floor of the table, never lower it;
 * a default below them is raised.
 */
export type PolicyFloor = Readonly<Partial<Record<FloorKey, number>>>;

/**
 * The configuration in a JSON text, or in a document that is parsed already.
 * Throws `config/invalid` with every fault in one line: path, reason, and bounds with their unit. Unknown keys are
 * faults, since a setting that nobody reads is a setting somebody relies on.
 */
export function parseConfig(input: unknown, imageFloor: PolicyFloor = {}): Config {
  const document = typeof input === 'string' ? parseText(input) : input;
  const result = configSchema.safeParse(raiseDefaults(document, imageFloor));
  const faults = [
    ...describeFaults(result.error?.issues ?? [], document, Object.keys(settings)),
    ...floorFaults(document, imageFloor),
  ];
  if (result.data === undefined || faults.length > 0) {
    throw new CameraError('config/invalid', joinFaults(faults));
  }
  return result.data;
}

function parseText(text: string): unknown {
  const result = readJson(text);
  if (result.ok) return result.value;
  throw new CameraError('config/invalid', `not a JSON document, ${result.fault}`);
}

const lowestOf = (key: SettingKey, floor: number, image: PolicyFloor): number =>
  Math.max(floor, image[key as FloorKey] ?? floor);

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The document, with settings that it leaves out and whose default is below the floor set to the floor. */
function raiseDefaults(document: unknown, image: PolicyFloor): unknown {
  if (!isObject(document)) return document;
  const raised = rows.flatMap(([key, { floor, schema }]) => {
    if (floor === undefined || document[key] !== undefined) return [];
    const lowest = lowestOf(key, floor, image);
    return Number(schema.parse(undefined)) < lowest ? [[key, lowest] as const] : [];
  });
  return { ...document, ...Object.fromEntries(raised) };
}

/** Looks at the raw document, so that a value below the floor is named beside faults of other settings. */
function floorFaults(document: unknown, image: PolicyFloor): string[] {
  if (!isObject(document)) return [];
  return rows.flatMap(([key, { floor, schema, unit }]) => {
    if (floor === undefined || !schema.safeParse(document[key]).success) return [];
    const lowest = lowestOf(key, floor, image);
    if (document[key] === undefined || Number(document[key]) >= lowest) return [];
    return [`${key}: is below the policy floor of ${lowest} ${unit}`];
  });
}

/** JSON Schema (draft 2020-12) of a configuration as it is written, for editors and the fleet side. */
export function configJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(configSchema, {
    io: 'input',
    // `readonly` is about our own types; in JSON Schema the word means that nobody may set the value.
    override: ({ jsonSchema }) => {
      delete jsonSchema.readOnly;
    },
  });
  return { ...schema, title: 'Lapel camera configuration' };
}
