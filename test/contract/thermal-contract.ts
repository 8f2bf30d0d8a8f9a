import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { ThermalPort } from '../../src/hal/ports/thermal.js';

/** A thermal adapter and what it measures. */
export interface ThermalRig {
  readonly port: ThermalPort;
  setCelsius(celsius: number): void | Promise<void>;
  /** Takes the sensor off. */
  unplug(): void | Promise<void>;
}

/** What every ThermalPort promises. `makeRig` gives each test a rig of its own and takes it down with `t.teardown`. */
export function thermalContract(
  name: string,
  makeRig: (t: ExecutionContext) => ThermalRig | Promise<ThermalRig>,
): void {
  for (const celsius of [-10, 0, 45.5, 85, 110]) {
    test.serial(`${name}: reads ${celsius} °C`, async (t) => {
      const rig = await makeRig(t);
      await rig.setCelsius(celsius);
      t.is(await rig.port.read(), celsius);
    });
  }

  test.serial(
    `${name}: a sensor that does not answer is disconnected, and comes back`,
    async (t) => {
      const rig = await makeRig(t);
      await rig.unplug();
      await t.throwsAsync(rig.port.read(), { code: 'hal/disconnected' });
      await rig.setCelsius(50);
      t.is(await rig.port.read(), 50);
    },
  );
}
