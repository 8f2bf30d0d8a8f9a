import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { PowerPort } from '../../src/hal/ports/power.js';

/** A power adapter and its battery. */
export interface PowerRig {
  readonly port: PowerPort;
  /** Sets what the gauge measures; the adapter may round to whole percent. */
  setBattery(chargePercent: number, isCharging: boolean): void | Promise<void>;
  /** Takes the gauge off. */
  unplug(): void | Promise<void>;
}

/** What every PowerPort promises. `makeRig` gives each test a rig of its own and takes it down with `t.teardown`. */
export function powerContract(
  name: string,
  makeRig: (t: ExecutionContext) => PowerRig | Promise<PowerRig>,
): void {
  for (const [chargePercent, isCharging] of [
    [100, false],
    [9, true],
    [0, false],
  ] as const) {
    test.serial(`${name}: reads ${chargePercent} %, charging ${isCharging}`, async (t) => {
      const rig = await makeRig(t);
      await rig.setBattery(chargePercent, isCharging);
      t.deepEqual(await rig.port.read(), { chargePercent, isCharging });
    });
  }

  test.serial(`${name}: a gauge that does not answer is disconnected`, async (t) => {
    const rig = await makeRig(t);
    await rig.unplug();
    await t.throwsAsync(rig.port.read(), { code: 'hal/disconnected' });
  });
}
