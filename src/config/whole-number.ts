import { z } from 'zod';

/** A whole number from `min` to `max`, both allowed, whose fault names the bounds with their unit. */
export function wholeNumber(min: number, max: number, unit: string): z.ZodInt {
  const error = `must be a whole number from ${min} to ${max}${unit === '' ? '' : ` ${unit}`}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
}
