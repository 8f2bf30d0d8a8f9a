import { createHash } from 'node:crypto';
import { CardLayout } from '../../../src/storage/layout.js';
import { formatSegmentRef } from '../../../src/units.js';
import { makeDatabaseOld } from './old-card.js';
import { StageCamera, receiptFor } from './stage.js';
import type { Stage } from './stage.js';

/** What happens on a card while its disk is logged. */
export interface Scenario {
  readonly name: string;
  /** What the card has been through before; nothing when it is new. */
  readonly prepare: (stage: Stage) => Promise<void>;
  readonly run: (stage: Stage) => Promise<void>;
  /** The card may delete, in the scenario and after the cut. */
  readonly isDeleting?: boolean;
}

const NOTHING = (): Promise<void> => Promise.resolve();

/** One boot, from the opening of the card to its close. Recovery is over before the close. */
async function boot(stage: Stage, work: (camera: StageCamera) => Promise<void>): Promise<void> {
  const camera = await StageCamera.open(stage);
  await work(camera);
  await camera.card.recovered;
  await camera.card.close();
}

/** Twenty presses, their outcomes, and what else capture writes down, some of it at the same time. */
async function fillLog(stage: Stage, { card, clock }: StageCamera): Promise<void> {
  const { journal, triggers } = card;
  const late: Promise<void>[] = [];
  const press = async (isPressed: boolean, isBounce: boolean): Promise<void> => {
    const at = clock.monotonicMs();
    const edge = await journal.pressed({ button: 'record', isPressed, at, isBounce });
    stage.say({ said: 'press', boot: card.boot, edge });
    late.push(
      journal.decided(edge, 'mark', 12).then(() => {
        stage.say({ said: 'decided', boot: card.boot, edge });
      }),
    );
  };
  for (let n = 0; n < 20; n += 1) {
    await press(true, false);
    if (n % 4 === 3) await Promise.all([press(false, true), press(true, true), press(false, true)]);
    const detail = `fault ${card.boot}.${n}`;
    const fault = { type: 'fault', code: 'hal/check-failed', detail } as const;
    late.push(
      journal.record(fault).then(() => {
        stage.say({ said: 'fault', detail });
      }),
    );
    if (n % 5 === 0) {
      const nonce = createHash('md5').update(detail).digest('hex');
      const trigger = { kind: 'command', op: 'start', by: 'fleet', key: null, nonce } as const;
      if (await triggers.take(trigger, 0)) stage.say({ said: 'trigger', nonce });
    }
    await clock.advance(60);
  }
  await clock.advance(1000);
  await Promise.all(late);
}

/** Offers everything and takes each receipt twice, as a link that breaks would deliver it. */
async function takeReceipts(stage: Stage, { card }: StageCamera): Promise<void> {
  const { outgoing } = card;
  const segments = await outgoing.pending(100);
  await outgoing.offered(segments.map(({ ref }) => ref));
  for (const segment of segments) {
    const receipt = receiptFor(segment);
    const twice = [
      outgoing.receipted(segment.ref, receipt),
      outgoing.receipted(segment.ref, receipt),
    ];
    await Promise.all(twice);
    stage.say({ said: 'receipt', seg: formatSegmentRef(segment.ref) });
  }
}

async function prepareSealed(stage: Stage): Promise<void> {
  await boot(stage, async (camera) => {
    await camera.record([1, 1, 1]);
    await camera.record([1, 2]);
    await fillLog(stage, camera);
  });
}

async function prepareOld(stage: Stage): Promise<void> {
  await prepareSealed(stage);
  makeDatabaseOld(new CardLayout(stage.card).database);
}

async function prepareCut(stage: Stage): Promise<void> {
  await boot(stage, (camera) => camera.record([1, 2, 3], { leavesOpen: true }));
  await boot(stage, (camera) => camera.record([4], { leavesOpen: true }));
}

async function prepareReceipted(stage: Stage): Promise<void> {
  await prepareSealed(stage);
  await boot(stage, (camera) => takeReceipts(stage, camera));
}

/** Deletes all that has a receipt, and says so. */
async function deleteAll(stage: Stage, { card }: StageCamera): Promise<void> {
  await card.recovered;
  await card.retention.look();
  for (const seg of ['1/1/0', '1/1/1', '1/1/2', '1/2/0', '1/2/1']) {
    stage.say({ said: 'deleted', seg });
  }
}

async function sealSix(camera: StageCamera): Promise<void> {
  for (let n = 0; n < 6; n += 1) await camera.record([1], { marks: 40 * n });
}

type Work = (camera: StageCamera, stage: Stage) => Promise<void>;

const scenario = (name: string, prepare: Scenario['prepare'], work: Work): Scenario => ({
  name,
  prepare,
  run: (stage) => boot(stage, (camera) => work(camera, stage)),
});

export const scenarios: readonly Scenario[] = [
  scenario('recording', NOTHING, (camera) => camera.record([12], { leavesOpen: true })),
  scenario('rotation', NOTHING, (camera) => camera.record([2, 3, 1, 2, 3, 2])),
  scenario('seal', NOTHING, sealSix),
  scenario('log', NOTHING, (camera, stage) => fillLog(stage, camera)),
  scenario('receipt', prepareSealed, (camera, stage) => takeReceipts(stage, camera)),
  {
    ...scenario('delete', prepareReceipted, (camera, stage) => deleteAll(stage, camera)),
    isDeleting: true,
  },
  scenario('migration', prepareOld, (camera, stage) => fillLog(stage, camera)),
  scenario('recovery', prepareCut, NOTHING),
];
