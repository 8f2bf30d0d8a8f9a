import test from 'ava';
import { Max17048 } from '../../../../src/hal/drivers/max17048.js';
import { SimI2c } from '../../../../src/hal/sim/sim-i2c.js';

function bench(registers: Readonly<Record<number, number>>) {
  const bus = new SimI2c();
  bus.plug(0x36, { 0x02: 0xc3, ...registers });
  return { bus, gauge: new Max17048(bus, 0x36) };
}

test('the charge is rounded and never above 100 %', async (t) => {
  t.is((await bench({ 0x04: 41, 0x05: 0x80 }).gauge.read()).chargePercent, 42);
  t.is((await bench({ 0x04: 103, 0x05: 0x20 }).gauge.read()).chargePercent, 100);
});

test('a rate of 0 is not charging', async (t) => {
  t.false((await bench({ 0x04: 100 }).gauge.read()).isCharging);
  t.true((await bench({ 0x04: 50, 0x17: 1 }).gauge.read()).isCharging);
  t.false((await bench({ 0x04: 50, 0x16: 0xff, 0x17: 0xff }).gauge.read()).isCharging);
});

test('a gauge without a cell is disconnected, whatever charge it makes up', async (t) => {
  const { gauge } = bench({ 0x02: 0x03, 0x04: 50 });
  await t.throwsAsync(gauge.read(), { code: 'hal/disconnected', message: /0\.06 V: no cell/ });
});

test('a stuck bus is told as disconnected, with its cause', async (t) => {
  const { bus, gauge } = bench({});
  bus.setBroken(true);
  const error = await t.throwsAsync(gauge.read(), { code: 'hal/disconnected' });
  t.like(error.cause, { code: 'hal/bus' });
});
