import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { DockPort } from '../../src/hal/ports/dock.js';
import { eventually } from './eventually.js';

/** A dock adapter and the camera in somebody's hand. */
export interface DockRig {
  readonly port: DockPort;
  setDocked(isDocked: boolean): void | Promise<void>;
}

/** What every DockPort promises. The rig starts undocked; `makeRig` takes it down with `t.teardown`. */
export function dockContract(
  name: string,
  makeRig: (t: ExecutionContext) => DockRig | Promise<DockRig>,
): void {
  const contract = (title: string, body: (t: ExecutionContext, rig: DockRig) => Promise<void>) => {
    test.serial(`${name}: ${title}`, async (t) => {
      await body(t, await makeRig(t));
    });
  };

  contract('tells every change, and the state at any time', async (t, rig) => {
    t.false(rig.port.isDocked());
    const changes: boolean[] = [];
    rig.port.watch((isDocked) => changes.push(isDocked));
    for (const isDocked of [true, false, true]) {
      await rig.setDocked(isDocked);
      await eventually(t, `docked ${isDocked}`, () => changes.at(-1) === isDocked);
      t.is(rig.port.isDocked(), isDocked);
    }
    t.deepEqual(changes, [true, false, true]);
  });

  contract('says nothing about the state at the time of the call', async (t, rig) => {
    await rig.setDocked(true);
    await eventually(t, 'docked', () => rig.port.isDocked());
    const changes: boolean[] = [];
    rig.port.watch((isDocked) => changes.push(isDocked));
    await rig.setDocked(false);
    await eventually(t, 'a change', () => changes.length > 0);
    t.deepEqual(changes, [false]);
  });

  contract('a cancelled watch hears nothing more', async (t, rig) => {
    const heard: boolean[] = [];
    let others = 0;
    const cancel = rig.port.watch((isDocked) => heard.push(isDocked));
    rig.port.watch(() => (others += 1));
    cancel();
    await rig.setDocked(true);
    await eventually(t, 'the other watch', () => others > 0);
    t.deepEqual(heard, []);
  });
}
