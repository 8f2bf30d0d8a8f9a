import test from 'ava';
import {
  deviceFilters,
  downTopic,
  inboxTopic,
  parseTopic,
  receiverFilters,
  receiverStateTopic,
  upTopic,
} from '../../../src/sync/topics.js';

test('every topic of the protocol has the text that access rules are written for', (t) => {
  t.is(upTopic('cam-1', 'birth'), 'lapel/v1/cam-1/up/birth');
  t.is(downTopic('cam-1', 'want'), 'lapel/v1/cam-1/dn/want');
  t.is(inboxTopic('rx1', 'cam-1'), 'lapel/v1/_rx/rx1/in/cam-1');
  t.is(receiverStateTopic('rx1'), 'lapel/v1/_rx/rx1/state');
});

const foreign = test.macro({
  exec: (t, text: string) => {
    t.is(parseTopic(text), undefined);
  },
  title: (_, text) => `no topic of the protocol: ${JSON.stringify(text)}`,
});

for (const text of [
  '',
  'lapel',
  'lapel/v2/cam-1/up/birth',
  'lapel/v1/cam-1/up/unheard-of',
  'lapel/v1/cam-1/dn/birth',
  'lapel/v1/cam-1/up/birth/more',
  'lapel/v1/cam-1/up',
  'lapel/v1//up/birth',
  'lapel/v1/_rx/up/birth',
  'lapel/v1/_rx/rx1/in/_cam',
  'lapel/v1/_rx/rx1/in',
  'lapel/v1/_rx/rx1/in/cam-1/more',
  'lapel/v1/_rx/rx1/state/more',
  'lapel/v1/_rx/+/state',
  'lapel/v1/cam.1/up/birth',
  '/lapel/v1/cam-1/up/birth',
]) {
  test(foreign, text);
}

test('a device listens to its own messages by exact name, with acks at most once', (t) => {
  t.deepEqual(deviceFilters('cam-1'), {
    'lapel/v1/cam-1/dn/want': 1,
    'lapel/v1/cam-1/dn/ack': 0,
    'lapel/v1/cam-1/dn/receipt': 1,
    'lapel/v1/_rx/+/state': 1,
  });
});

test('a receiver takes chunks at most once and everything else at least once', (t) => {
  t.deepEqual(receiverFilters('rx1'), {
    'lapel/v1/+/up/#': 1,
    'lapel/v1/_rx/rx1/in/+': 0,
  });
});
