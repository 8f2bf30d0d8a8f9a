import test from 'ava';
import { SimI2c } from '../../../../src/hal/sim/sim-i2c.js';
import { SimPower } from '../../../../src/hal/sim/sim-power.js';
import { SimSerial } from '../../../../src/hal/sim/sim-serial.js';

test('a block runs on from the last register into the first', async (t) => {
  const bus = new SimI2c();
  bus.plug(0x68, { 0xff: 1, 0x00: 2 });
  t.deepEqual(await bus.readBlock(0x68, 0xff, 2), Buffer.from([1, 2]));
  bus.poke(0x68, 0xff, [7, 8]);
  t.is(bus.peek(0x68, 0x00), 8);
});

test('a chip that is plugged anew has forgotten everything', async (t) => {
  const bus = new SimI2c();
  bus.plug(0x68, { 0x75: 0x68 });
  await bus.writeByte(0x68, 0x6b, 0x40);
  bus.plug(0x68, { 0x75: 0x68 });
  t.is(bus.peek(0x68, 0x6b), 0);
  t.is(bus.peek(0x68, 0x75), 0x68);
});

test('a chip can react to a write', async (t) => {
  const bus = new SimI2c();
  bus.plug(0x68);
  bus.onWrite(0x68, (register, value) => {
    bus.poke(0x68, register, [value & 0x7f]);
  });
  await bus.writeByte(0x68, 0x6b, 0x81);
  t.is(bus.peek(0x68, 0x6b), 0x01);
});

test('a shorted bus is a bus fault until it is mended', async (t) => {
  const bus = new SimI2c();
  bus.plug(0x68, { 0: 5 });
  bus.setBroken(true);
  await t.throwsAsync(bus.readBlock(0x68, 0, 1), { code: 'hal/bus' });
  bus.setBroken(false);
  t.deepEqual(await bus.readBlock(0x68, 0, 1), Buffer.from([5]));
});

test('reserved addresses and values that are no bytes are programming errors', async (t) => {
  const bus = new SimI2c();
  for (const address of [0x07, 0x78, 1.5]) {
    t.throws(
      () => {
        bus.plug(address);
      },
      { instanceOf: RangeError },
    );
  }
  bus.plug(0x68);
  await t.throwsAsync(bus.readBlock(0x68, 256, 1), { instanceOf: RangeError });
  await t.throwsAsync(bus.writeByte(0x68, 0, 256), { instanceOf: RangeError });
  await t.throwsAsync(bus.writeByte(0x68, -1, 0), { instanceOf: RangeError });
});

test('bytes fed are cut as asked', async (t) => {
  const serial = new SimSerial();
  serial.plug('gnss');
  const chunks: string[] = [];
  await serial.open('gnss', 9600, {
    bytes: (chunk) => chunks.push(chunk.toString()),
    closed: () => undefined,
  });
  serial.feed('gnss', '$GPRMC', 4);
  t.deepEqual(chunks, ['$GPR', 'MC']);
  t.is(serial.baudRate('gnss'), 9600);
});

test('bytes fed to a line that nobody reads are lost', async (t) => {
  const serial = new SimSerial();
  serial.plug('gnss');
  serial.feed('gnss', 'early');
  const chunks: string[] = [];
  const line = await serial.open('gnss', 9600, {
    bytes: (chunk) => chunks.push(chunk.toString()),
    closed: () => undefined,
  });
  await line.close();
  serial.feed('gnss', 'late');
  t.deepEqual(chunks, []);
  t.is(serial.baudRate('gnss'), undefined);
});

test('a line that is pulled unnoticed falls silent, and only writing finds out', async (t) => {
  const serial = new SimSerial();
  serial.plug('gnss');
  let ends = 0;
  const line = await serial.open('gnss', 9600, {
    bytes: () => t.fail('bytes over no line'),
    closed: () => (ends += 1),
  });
  serial.unplug('gnss', { isNoticed: false });
  t.is(ends, 0);
  t.throws(
    () => {
      serial.feed('gnss', 'x');
    },
    { code: 'hal/disconnected' },
  );
  await t.throwsAsync(line.write(Buffer.from('x')), { code: 'hal/disconnected' });
  serial.plug('gnss');
  await t.throwsAsync(line.write(Buffer.from('x')), { code: 'hal/disconnected' });
  await line.close();
});

test('a pulled line can be plugged and opened again', async (t) => {
  const serial = new SimSerial();
  serial.unplug('gnss');
  serial.plug('gnss');
  const events = { bytes: () => undefined, closed: () => undefined };
  await serial.open('gnss', 9600, events);
  serial.unplug('gnss');
  serial.plug('gnss');
  await serial.open('gnss', 4800, events);
  t.is(serial.baudRate('gnss'), 4800);
});

test('a speed that is none is a programming error', async (t) => {
  const serial = new SimSerial();
  serial.plug('gnss');
  const events = { bytes: () => undefined, closed: () => undefined };
  await t.throwsAsync(serial.open('gnss', 0, events), { instanceOf: RangeError });
});

test('a charge is a percentage', (t) => {
  const power = new SimPower();
  t.deepEqual(power.reading, { chargePercent: 100, isCharging: false });
  for (const percent of [-1, 101, NaN]) {
    t.throws(
      () => {
        power.setCharge(percent);
      },
      { instanceOf: RangeError },
    );
  }
});
