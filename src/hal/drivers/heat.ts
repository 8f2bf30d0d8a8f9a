/** When a camera is too hot to go on, and when no longer; degrees Celsius. */
export interface HeatLimits {
  readonly limitC: number;
  readonly clearC: number;
}

/** Looks in a row that must agree that it is too hot: one alone may be a glitch of the sensor. */
export const HOT_LOOKS = 2;
/** Looks in a row without a temperature after which the heat is forgotten: a dead sensor must not keep a camera off. */
export const BLIND_LOOKS = 6;

export interface HeatState {
  readonly isHot: boolean;
  /** Looks in a row that were too hot, and that gave nothing. */
  readonly hotLooks: number;
  readonly blindLooks: number;
}

export const startHeat: HeatState = { isHot: false, hotLooks: 0, blindLooks: 0 };

/** What a look at the temperature, undefined where there was none, makes of what was known. Pure. */
export function judgeHeat(
  state: HeatState,
  celsius: number | undefined,
  { limitC, clearC }: HeatLimits,
): HeatState {
  if (celsius === undefined) {
    const blindLooks = state.blindLooks + 1;
    return { isHot: state.isHot && blindLooks < BLIND_LOOKS, hotLooks: 0, blindLooks };
  }
  const hotLooks = celsius >= limitC ? state.hotLooks + 1 : 0;
  const isHot = state.isHot ? celsius > clearC : hotLooks >= HOT_LOOKS;
  return { isHot, hotLooks, blindLooks: 0 };
}
