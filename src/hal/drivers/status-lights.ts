import type { Cancel, Clock } from '../../clock.js';
import type { OutputLine } from '../ports/gpio.js';
import { LevelWriter } from './level-writer.js';

/** Fastest blink: below it an eye sees a steady light, and every change is a write to the line. */
const BLINK_PERIOD_MS_MIN = 100;

/** A blink is lit for the first half of its period. */
export type LightPattern = 'on' | 'off' | { readonly blinkMs: number };

interface Light {
  readonly writer: LevelWriter;
  pattern: LightPattern;
  /** What the pattern wants at this moment; a wink shows the opposite. */
  isLit: boolean;
  cancel: Cancel | undefined;
  winkEnd: Cancel | undefined;
}

/** Status lights by role. All start dark. */
export class StatusLights<Role extends string = string> {
  readonly #lights: ReadonlyMap<Role, Light>;
  readonly #clock: Clock;

  /** Takes over the lines. `onFault` hears of a light that cannot be set; the next change tries again. */
  constructor(
    lines: Readonly<Partial<Record<Role, OutputLine>>>,
    clock: Clock,
    onFault: (error: unknown) => void,
  ) {
    this.#clock = clock;
    const entries = Object.entries(lines) as [Role, OutputLine | undefined][];
    this.#lights = new Map(
      entries.flatMap(([role, line]) =>
        line === undefined ? [] : [[role, darkLight(new LevelWriter(line, onFault))] as const],
      ),
    );
  }

  /** Whether the board has this light. */
  has(role: Role): boolean {
    return this.#lights.has(role);
  }

  /**
   * Shows a pattern until the next one, beginning with light. The pattern that is shown already goes on undisturbed.
   * A role that the board has no light for is left out: ask `has`. Throws a RangeError for a blink that no eye sees.
   */
  show(role: Role, pattern: LightPattern): void {
    if (typeof pattern === 'object' && !(pattern.blinkMs >= BLINK_PERIOD_MS_MIN)) {
      throw new RangeError(`Expected blinkMs to be at least ${BLINK_PERIOD_MS_MIN}`);
    }
    const light = this.#lights.get(role);
    if (light === undefined || isSame(light.pattern, pattern)) return;
    light.cancel?.();
    light.cancel = undefined;
    light.pattern = pattern;
    light.isLit = pattern !== 'off';
    update(light);
    if (typeof pattern === 'string') return;
    light.cancel = this.#clock.every(pattern.blinkMs / 2, () => {
      light.isLit = !light.isLit;
      update(light);
    });
  }

  /** Turns a light over for `ms`, whatever it shows: dark when it is lit. A wink during a wink makes it last longer. */
  wink(role: Role, ms: number): void {
    const light = this.#lights.get(role);
    if (light === undefined) return;
    light.winkEnd?.();
    light.winkEnd = this.#clock.after(ms, () => {
      light.winkEnd = undefined;
      update(light);
    });
    update(light);
  }

  /** What each light shows. */
  shown(): Readonly<Partial<Record<Role, LightPattern>>> {
    const entries = [...this.#lights].map(([role, { pattern }]) => [role, pattern] as const);
    return Object.fromEntries(entries) as Partial<Record<Role, LightPattern>>;
  }

  /** Darkens every light and closes the lines; rejects when a line cannot be closed. */
  async close(): Promise<void> {
    const lights = [...this.#lights.values()];
    for (const light of lights) {
      light.cancel?.();
      light.winkEnd?.();
    }
    await Promise.all(lights.map(({ writer }) => writer.close()));
  }
}

const darkLight = (writer: LevelWriter): Light => ({
  writer,
  pattern: 'off',
  isLit: false,
  cancel: undefined,
  winkEnd: undefined,
});

function update({ writer, isLit, winkEnd }: Light): void {
  writer.set(winkEnd === undefined ? isLit : !isLit);
}

function isSame(a: LightPattern, b: LightPattern): boolean {
  if (typeof a === 'string' || typeof b === 'string') return a === b;
  return a.blinkMs === b.blinkMs;
}
