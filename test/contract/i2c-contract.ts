import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { I2cPort } from '../../src/hal/ports/i2c.js';

/** An I2C adapter with one chip of plain registers on its bus. */
export interface I2cRig {
  readonly port: I2cPort;
  /** Where the chip is. */
  readonly address: number;
  /** Where nothing is. */
  readonly emptyAddress: number;
  /** Sets registers of the chip from `register` on, from outside. */
  poke(register: number, bytes: readonly number[]): void | Promise<void>;
  /** Takes the chip off the bus. */
  unplug(): void | Promise<void>;
}

/** What every I2cPort promises. `makeRig` gives each test a rig of its own and takes it down with `t.teardown`. */
export function i2cContract(
  name: string,
  makeRig: (t: ExecutionContext) => I2cRig | Promise<I2cRig>,
): void {
  const contract = (title: string, body: (t: ExecutionContext, rig: I2cRig) => Promise<void>) => {
    test.serial(`${name}: ${title}`, async (t) => {
      await body(t, await makeRig(t));
    });
  };

  for (const length of [1, 2, 14, 31, 32]) {
    contract(`a block of ${length} comes from consecutive registers`, async (t, rig) => {
      const bytes = Array.from({ length }, (_, index) => 0xff - index);
      await rig.poke(0x3b, bytes);
      t.deepEqual(await rig.port.readBlock(rig.address, 0x3b, length), Buffer.from(bytes));
    });
  }

  for (const length of [0, 33, 1.5, -1]) {
    contract(`a block of ${length} is a programming error`, async (t, rig) => {
      await t.throwsAsync(rig.port.readBlock(rig.address, 0, length), { instanceOf: RangeError });
    });
  }

  contract('a register that was written is read back, its neighbours stay', async (t, rig) => {
    await rig.poke(0x6a, [1, 2, 3]);
    await rig.port.writeByte(rig.address, 0x6b, 0x80);
    t.deepEqual(await rig.port.readBlock(rig.address, 0x6a, 3), Buffer.from([1, 0x80, 3]));
  });

  contract('each read gives a buffer of its own', async (t, rig) => {
    await rig.poke(0x10, [1]);
    const first = await rig.port.readBlock(rig.address, 0x10, 1);
    await rig.poke(0x10, [2]);
    await rig.port.readBlock(rig.address, 0x10, 1);
    t.is(first[0], 1);
  });

  contract('reads started at once each get their own registers', async (t, rig) => {
    await rig.poke(0x20, [1, 2, 3, 4]);
    const reads = [0x20, 0x21, 0x22, 0x23].map((register) =>
      rig.port.readBlock(rig.address, register, 1),
    );
    t.deepEqual(
      (await Promise.all(reads)).map(([byte]) => byte),
      [1, 2, 3, 4],
    );
  });

  contract('nothing at the address is no acknowledge', async (t, rig) => {
    const expected = { code: 'hal/no-acknowledge' };
    await t.throwsAsync(rig.port.readBlock(rig.emptyAddress, 0x75, 1), expected);
    await t.throwsAsync(rig.port.writeByte(rig.emptyAddress, 0x75, 1), expected);
  });

  contract('a chip that was unplugged is no acknowledge', async (t, rig) => {
    await rig.port.readBlock(rig.address, 0x75, 1);
    await rig.unplug();
    await t.throwsAsync(rig.port.readBlock(rig.address, 0x75, 1), { code: 'hal/no-acknowledge' });
  });

  contract('a closed bus is a bus fault, closing twice is none', async (t, rig) => {
    await rig.port.close();
    await rig.port.close();
    await t.throwsAsync(rig.port.readBlock(rig.address, 0x75, 1), { code: 'hal/bus' });
    await t.throwsAsync(rig.port.writeByte(rig.address, 0x75, 1), { code: 'hal/bus' });
  });
}
