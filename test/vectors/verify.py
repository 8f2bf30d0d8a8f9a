#!/usr/bin/env python3
"""A second opinion on Lapel evidence, written from src/evidence/README.md alone.

    verify.py PATH --trust trust.json [--identity age.txt] [--checkpoint NOTE]...

PATH is a card (with ev/ and lapel.db) or one camera's folder of a receiver's store. Prints one JSON object and ends as
`lapel verify` does: 0 ok, 1 not-ok, 2 usage, 3 ok-with-missing, 4 not-feasible. Needs Python's standard library and the
command openssl; with --identity also age. It reads whole files into memory and shares no line with Lapel.
"""
import argparse, base64, functools, hashlib, json, os, re, shutil, sqlite3, subprocess, sys, tempfile

LEAF, CHUNK, TAG = 65552, 65536, 16
ORDER = ['ok', 'ok-with-missing', 'not-feasible', 'not-ok']
EXIT = {'ok': 0, 'not-ok': 1, 'ok-with-missing': 3, 'not-feasible': 4}
SPKI = bytes.fromhex('302a300506032b6570032100')
TYPE = 'application/vnd.lapel.%s.v1+json'
ENDS = ['.age', '.leaves', '.heads', '.meta.age', '.dsse', '.receipt']
COUNTER = re.compile(r'^(0|[1-9]\d{0,9})$')
SILENCE_MS = 150_000


class Bad(Exception):
    """What is wrong with a document: malformed or bad-signature."""


sha = lambda *parts: hashlib.sha256(b''.join(parts)).digest()
worst = lambda states: max(states, key=ORDER.index, default='ok')
key_id = lambda raw: sha(raw).hex()[:16]


def raw_key(spki):
    der = base64.b64decode(spki)
    if der[:12] != SPKI or len(der) != 44 or base64.b64encode(der).decode() != spki:
        raise Bad('malformed')
    return der[12:]


@functools.lru_cache(maxsize=None)
def signed(raw, message, signature):
    """Ed25519 by openssl: its key, its message and its signature are files."""
    if len(signature) != 64:
        return False
    with tempfile.TemporaryDirectory() as place:
        names = [os.path.join(place, n) for n in ('key', 'message', 'signature')]
        for name, content in zip(names, (SPKI + raw, message, signature)):
            with open(name, 'wb') as file:
                file.write(content)
        command = ['openssl', 'pkeyutl', '-verify', '-pubin', '-keyform', 'DER', '-inkey', names[0],
                   '-rawin', '-in', names[1], '-sigfile', names[2]]
        return subprocess.run(command, capture_output=True).returncode == 0


def tree(hashes):
    """RFC 6962, 2.1, over leaf hashes."""
    if not hashes:
        return sha()
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << ((len(hashes) - 1).bit_length() - 1)
    return sha(b'\1', tree(hashes[:split]), tree(hashes[split:]))


class Frontier:
    """The same, growing."""

    def __init__(self):
        self.size, self.full = 0, []

    def push(self, leaf):
        self.size += 1
        n = self.size
        while n % 2 == 0:
            leaf = sha(b'\1', self.full.pop(), leaf)
            n //= 2
        self.full.append(leaf)

    def root(self):
        if not self.full:
            return sha()
        root = self.full[-1]
        for left in reversed(self.full[:-1]):
            root = sha(b'\1', left, root)
        return root


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(',', ':'), ensure_ascii=False)


def portable(value):
    """Integers within 2^53, no fractions; strings, lists, objects, true, false, null."""
    if isinstance(value, dict):
        return all(map(portable, value.values()))
    if isinstance(value, list):
        return all(map(portable, value))
    return not isinstance(value, float) and (not isinstance(value, int) or abs(value) < 2**53)


def no_doubles(pairs):
    if len(dict(pairs)) != len(pairs):
        raise ValueError('a doubled key')
    return dict(pairs)


class Envelope:
    """One line of JSON in its one text form."""

    def __init__(self, text):
        try:
            line = text[:-1] if text.endswith('\n') else text
            value = json.loads(line, object_pairs_hook=no_doubles)
            self.type, sigs = value['payloadType'], value['signatures']
            again = {'payload': value['payload'], 'payloadType': self.type,
                     'signatures': [{'keyid': s['keyid'], 'sig': s['sig']} for s in sigs]}
            self.body = base64.b64decode(value['payload'], validate=True)
            self.sigs = [(s['keyid'], base64.b64decode(s['sig'], validate=True)) for s in sigs]
            exact = [value['payload']] + [s['sig'] for s in sigs]
            decoded = [self.body] + [sig for _, sig in self.sigs]
            if (json.dumps(again, separators=(',', ':'), ensure_ascii=False) != line or not 1 <= len(sigs) <= 8
                    or any(base64.b64encode(b).decode() != t for b, t in zip(decoded, exact))
                    or not all(re.fullmatch('[0-9a-f]{16}', k) for k, _ in self.sigs)
                    or not re.fullmatch(r'[\x21-\x7e]{1,128}', self.type)):
                raise ValueError('not its one text form')
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Bad('malformed') from error
        self.digest = sha(self.body).hex()
        head = 'DSSEv1 %d %s %d ' % (len(self.type), self.type, len(self.body))
        self.pae = head.encode() + self.body

    def read(self, kind):
        try:
            value = json.loads(self.body.decode(), object_pairs_hook=no_doubles)
            if not isinstance(value, dict) or not portable(value) or canonical(value).encode() != self.body:
                raise ValueError('not canonical')
            if kind and (value['v'] != 1 or value['type'] != kind and kind != 'entry'):
                raise ValueError('another kind')
            return value
        except (ValueError, KeyError) as error:
            raise Bad('malformed') from error

    def open(self, kind, raw):
        if self.type != TYPE % kind:
            raise Bad('malformed')
        for keyid, sig in self.sigs:
            if keyid != key_id(raw) or not signed(raw, self.pae, sig):
                raise Bad('bad-signature')
        return self.read(kind)


def envelope_file(text):
    if not text.endswith('\n'):
        raise Bad('malformed')
    return Envelope(text)


MANIFEST = {'device': str, 'key': str, 'sealed_by': int, 'boot': int, 'rec': int, 'seq': int, 'last': bool,
            'prev': str, 'file': dict, 'media': dict, 'fragments': list, 'end': str, 'mono': list}


class Judge:
    def __init__(self, root, trust, checkpoints, identity):
        self.root, self.identity, self.checkpoints = root, identity, checkpoints
        if any(d.get('rotations') for d in trust['devices']):
            print('verify.py: a device key was rotated, which this verifier does not follow', file=sys.stderr)
            sys.exit(2)
        self.devices = {d['device']: raw_key(d['spki']) for d in trust['devices']}
        self.receivers = {r['rx']: raw_key(r['spki']) for r in trust['receivers']}
        database = os.path.join(root, 'lapel.db')
        self.database = database if os.path.isfile(database) else None
        self.evidence = os.path.join(root, 'ev') if self.database else root
        self.sessions, self.problems, self.segments = {}, [], {}

    def say(self, state, what, file):
        self.problems.append((state, what, file))
        return state

    def file(self, name):
        try:
            with open(os.path.join(self.evidence, name), 'rb') as file:
                return file.read()
        except FileNotFoundError:
            return None

    def text(self, name):
        content = self.file(name)
        return None if content is None else content.decode('latin1')

    # --- who signs -----------------------------------------------------------------------------------------------

    def session(self, boot, expected=None):
        """(device, key id, key) of a boot, or the problem (state, what, file)."""
        if (boot, expected) not in self.sessions:
            self.sessions[boot, expected] = self.judge_session(boot, expected)
        return self.sessions[boot, expected]

    def judge_session(self, boot, expected):
        name = '%d/session.dsse' % boot
        text = self.text(name)
        if text is None:
            return ('not-feasible', 'missing', name)
        try:
            envelope = envelope_file(text)
            try:
                claimed = json.loads(envelope.body.decode()).get('device')
            except (ValueError, AttributeError):
                claimed = None
            ids = [k for k, _ in envelope.sigs]
            raw = self.devices.get(claimed) if isinstance(claimed, str) else None
            raw = raw or next((k for k in self.devices.values() if key_id(k) in ids), None)
            raw = raw or self.devices.get(expected)
            if raw is None:
                return ('not-feasible', 'unknown-device', name)
            body = envelope.open('session-key', raw)
            key = raw_key(body['spki'])
            if key_id(key) != body['key']:
                raise Bad('malformed')
            if self.devices.get(body['device']) != raw:
                return ('not-ok', 'contradiction', name)
            if body['boot'] != boot:
                return ('not-ok', 'wrong-place', name)
            return {'device': body['device'], 'id': body['key'], 'key': key, 'boot': boot,
                    'digest': envelope.digest}
        except Bad as error:
            return ('not-ok', str(error), name)

    # --- one segment ---------------------------------------------------------------------------------------------

    def manifest(self, ref, stem):
        """(manifest, digest, recorder, problems)."""
        name, text, boot = stem + '.dsse', self.text(stem + '.dsse'), ref[0]
        try:
            envelope = None if text is None else envelope_file(text)
            body = envelope and envelope.read('segment')
            if body and not all(type(body.get(k)) is t for k, t in MANIFEST.items()):
                raise Bad('malformed')
        except Bad:
            body = Bad
        own = self.session(boot, body['device'] if isinstance(body, dict) else None)
        recorder = own if isinstance(own, dict) else None
        own_problems = [] if recorder else [own]
        unusable = lambda *p: (None, None, recorder, [(*p, name)] + own_problems)
        if body is None:
            return unusable('ok-with-missing', 'unsealed')
        if body is Bad:
            return unusable('not-ok', 'malformed')
        signer = own
        if body['end'] == 'power-loss':
            boots = sorted(int(b) for b in os.listdir(self.evidence) if COUNTER.match(b))
            later = [self.session(b, body['device']) for b in boots
                     if b > boot and self.file('%d/session.dsse' % b) is not None]
            names = [body['key']] + [k for k, _ in envelope.sigs]
            good = [s for s in [own] + later if isinstance(s, dict) and s['id'] in names]
            wrong = [s for s in [own] + later if not isinstance(s, dict)]
            signer = good[0] if good else None
            if signer is None:
                others = wrong or [('not-feasible', 'missing', '%d/session.dsse' % body['sealed_by'])]
                return (body, envelope.digest, recorder,
                        own_problems + [p for p in others if p[2] != '%d/session.dsse' % boot])
        if not isinstance(signer, dict):
            return (body, envelope.digest, recorder, own_problems)
        here = (body['boot'], body['rec'], body['seq']) == ref
        try:
            envelope.open('segment', signer['key'])
        except Bad as error:
            if str(error) == 'bad-signature' and not here:
                true = self.session(body['sealed_by'], body['device'])
                try:
                    if isinstance(true, dict) and envelope.open('segment', true['key']):
                        return unusable('not-ok', 'wrong-place')
                except Bad:
                    pass
            return unusable('not-ok', str(error))
        if body['key'] != signer['id'] or body['sealed_by'] != signer['boot'] \
                or body['device'] != signer['device'] or recorder and recorder['device'] != signer['device']:
            return unusable('not-ok', 'contradiction')
        if not here:
            return unusable('not-ok', 'wrong-place')
        return (body, envelope.digest, recorder, own_problems)

    def heads(self, ref, name, text, recorder):
        lines = text.split('\n')
        rest, good, problems = lines.pop(), [], []
        for line in lines:
            try:
                envelope = Envelope(line)
                head = envelope.open('head', recorder['key'])
                if (head['boot'], head['rec'], head['seq']) != ref or head['device'] != recorder['device']:
                    problems.append(('not-ok', 'wrong-place', name))
                elif good and (head['n'] < good[-1]['n'] or head['size'] < good[-1]['size']):
                    problems.append(('not-ok', 'contradiction', name))
                else:
                    good.append({**head, 'digest': envelope.digest})
            except Bad as error:
                problems.append(('not-ok', str(error), name))
        if rest:
            start, end = '{"payload":"', rest.find('}]}')
            torn = start.startswith(rest[:len(start)]) and (end < 0 or end == len(rest) - 3)
            problems.append(('ok-with-missing', 'cut', name) if torn else ('not-ok', 'malformed', name))
        return good, problems

    def leaves(self, stem, want, data):
        """Compares list, file and root with each other; returns the proven hashes."""
        listed, name = self.file(stem + '.leaves'), stem + '.leaves'
        n, root = want['n'], want['root']
        if listed is not None and want['manifest'] is None:
            listed = listed[:n * 32]
        ends = [0] + [min(want['head'] + i * LEAF, want['size']) for i in range(n)]
        own = [sha(b'\0', data[a:b]) for a, b in zip(ends, ends[1:]) if b <= len(data)] if data is not None else None
        split = lambda b: [b[i:i + 32] for i in range(0, len(b) // 32 * 32, 32)]
        holds = lambda hashes: len(hashes) == n and tree(hashes).hex() == root
        list_ok = listed is not None and len(listed) == n * 32 and holds(split(listed))
        file_ok = own is not None and holds(own)
        if not list_ok:
            if listed is None:
                self.say('ok-with-missing', 'missing', name)
            elif file_ok and any(a != b for a, b in zip(split(listed), own)):
                self.say('not-ok', 'changed', name)
            elif file_ok and len(listed) < n * 32:
                self.say('ok-with-missing', 'cut', name)
            else:
                self.say('not-ok', 'extra' if len(listed) > n * 32 else 'changed', name)
        name = stem + '.age'
        if data is None or not data and want['size'] > 0:
            self.say('not-feasible', 'missing', name)
        elif not file_ok and list_ok:
            if any(a != b for a, b in zip(own, split(listed))):
                self.say('not-ok', 'changed', name)
            if len(own) < n:
                self.say('ok-with-missing', 'cut', name)
        elif not file_ok and len(own) < n:
            self.say('ok-with-missing', 'cut', name)
            self.say('not-feasible', 'unproven', name)
        elif not file_ok:
            self.say('not-ok', 'changed', name)
        return split(listed) if list_ok else own if file_ok else None

    def segment(self, ref):
        before, stem = len(self.problems), '%d/%d/%d' % ref
        m, digest, recorder, problems = self.manifest(ref, stem)
        self.problems += problems
        text, heads = self.text(stem + '.heads'), []
        if text is not None and recorder:
            heads, problems = self.heads(ref, stem + '.heads', text, recorder)
            self.problems += problems
        want = None
        if m:
            want = {**m['file'], 'manifest': m}
        elif heads:
            want = {**heads[-1], 'manifest': None,
                    'head': max(h['size'] - (h['n'] - 1) * LEAF for h in heads)}
        if want is None or want['head'] <= 0:
            self.say('not-feasible', 'unproven', stem + '.age')
        else:
            data = self.file(stem + '.age')
            proven = self.leaves(stem, want, data)
            extra = 0 if data is None else len(data) - want['size']
            if extra > 0 and m is None:
                self.say('ok-with-missing', 'unsigned-tail', stem + '.age')
            elif extra > 0 and not (m['end'] == 'power-loss' and extra < LEAF):
                self.say('not-ok', 'extra', stem + '.age')
            for head in heads if proven is not None else []:
                n, whole = head['n'], want['size']
                if n > want['n']:
                    cut = m is not None and m['end'] == 'power-loss'
                    self.say(*(('ok-with-missing', 'cut', stem + '.age') if cut
                               else ('not-ok', 'contradiction', stem + '.heads')))
                    continue
                if n < want['n']:
                    whole = want['head'] + (n - 1) * LEAF
                if tree(proven[:n]).hex() != head['root'] or head['size'] != whole:
                    self.say('not-ok', 'contradiction', stem + '.heads')
        if m and m['recovered'] is not None:
            self.say('ok-with-missing', 'cut', stem + '.age')
            if m['recovered']['tail'] > 0:
                self.say('ok-with-missing', 'unsigned-tail', stem + '.age')
            wanted = (m['recovered']['head'], m['recovered']['signed'])
            if recorder and wanted[0] and wanted not in [(h['digest'], h['n']) for h in heads]:
                self.say('ok-with-missing', 'missing', stem + '.heads')
        self.meta(m, stem + '.meta.age')
        self.receipt(self.text(stem + '.receipt'), stem + '.receipt', ref, m, digest)
        self.segments[ref] = {'m': m, 'digest': digest, 'name': stem,
                              'state': worst(p[0] for p in self.problems[before:])}
        if self.identity and m and self.segments[ref]['state'] in ORDER[:2]:
            self.plain(ref, stem, m)

    def meta(self, m, name):
        data = self.file(name)
        if m is None:
            return data is not None and self.say('ok-with-missing', 'unproven', name)
        if m['meta'] is None:
            return data is not None and self.say('not-ok', 'extra', name)
        if data is None:
            return self.say('ok-with-missing', 'missing', name)
        return sha(data).hex() != m['meta'] and self.say('not-ok', 'changed', name)

    def receipt(self, text, name, ref, m, digest):
        if text is None:
            return
        try:
            envelope = envelope_file(text)
            if envelope.type != TYPE % 'receipt':
                raise Bad('malformed')
            ids = [k for k, _ in envelope.sigs]
            raw = self.receivers.get(envelope.read(None).get('rx'))
            raw = raw or next((k for k in self.receivers.values() if key_id(k) in ids), None)
            body = envelope.open('receipt', raw) if raw else envelope.read('receipt')
            if body['seg'] != '%d/%d/%d' % ref or m and body['device'] != m['device']:
                self.say('not-ok', 'wrong-place', name)
            elif m and (body['man'], body['root'], body['size']) != (digest, m['file']['root'], m['file']['size']):
                self.say('not-ok', 'contradiction', name)
        except (Bad, KeyError) as error:
            self.say('not-ok', str(error) if isinstance(error, Bad) else 'malformed', name)

    def plain(self, ref, stem, m):
        """With the identity: the salted root over the plaintext, chunk by chunk."""
        age = lambda name: subprocess.run(['age', '-d', '-i', self.identity, os.path.join(self.evidence, name)],
                                          capture_output=True)
        opened, meta = age(stem + '.age'), age(stem + '.meta.age')
        if m['plain'] is None or self.file(stem + '.meta.age') is None:
            return
        if opened.returncode or meta.returncode:
            self.segments[ref]['state'] = worst([self.segments[ref]['state'], self.say('not-feasible', 'unproven', stem + '.age')])
            return
        salt = next(bytes.fromhex(l['salt']) for l in map(json.loads, meta.stdout.splitlines()) if l['type'] == 'salt')
        chunks = [opened.stdout[i:i + CHUNK] for i in range(0, len(opened.stdout), CHUNK)]
        root = tree([sha(b'\0', salt, chunk) for chunk in chunks]).hex()
        if (len(opened.stdout), root) != (m['plain']['size'], m['plain']['root']):
            self.segments[ref]['state'] = self.say('not-ok', 'unplayable', stem + '.age')

    # --- between segments ----------------------------------------------------------------------------------------

    def recording(self, refs):
        previous = None
        for ref in refs:
            found, name = self.segments[ref], self.segments[ref]['name'] + '.dsse'
            m, seq = found['m'], ref[2]
            before = -1 if previous is None else previous[2]
            if seq - before > 1:
                self.say('ok-with-missing', 'missing', '%d/%d/%d.dsse' % (ref[0], ref[1], before + 1))
            near = self.segments[previous] if previous is not None and before == seq - 1 else {'m': None, 'digest': None}
            if m:
                p = near['m']
                if m['media']['gap_before_ms'] > 0:
                    self.say('ok-with-missing', 'gap', name)
                elif p and 'power-loss' not in (p['end'], m['end']) and p['media']['run'] == m['media']['run'] \
                        and abs(m['media']['start90k'] - p['media']['start90k'] - p['media']['duration90k']) > 90:
                    self.say('ok-with-missing', 'gap', name)
                if near['digest'] is not None and m['prev'] != near['digest']:
                    self.say('not-ok', 'broken-chain', name)
                if p and p['last']:
                    self.say('not-ok', 'contradiction', name)
            previous = ref
        m, name = self.segments[previous]['m'], self.segments[previous]['name'] + '.dsse'
        if m is None or not m['last']:
            self.say('ok-with-missing', 'missing', name)
        elif m['end'] in ('storage-full', 'stall'):
            self.say('ok-with-missing', 'cut', name)

    def owner(self, boots):
        of = {b: self.session(b)['device'] for b in boots if isinstance(self.session(b), dict)}
        name = os.path.basename(os.path.abspath(self.evidence))
        owner = name if name in self.devices else max(of.values(), key=list(of.values()).count, default=None)
        for boot, device in of.items():
            if device != owner:
                self.say('not-ok', 'contradiction', '%d/session.dsse' % boot)

    # --- the card's records --------------------------------------------------------------------------------------

    def records(self, boots):
        with tempfile.TemporaryDirectory() as place:
            copy = os.path.join(place, 'lapel.db')
            for end in ('', '-wal'):
                if os.path.exists(self.database + end):
                    shutil.copyfile(self.database + end, copy + end)
            db = sqlite3.connect(copy)
            try:
                if db.execute('PRAGMA integrity_check(1)').fetchone() != ('ok',):
                    self.say('not-ok', 'malformed', 'lapel.db')
                rows = db.execute('SELECT id, type, envelope, leaf FROM entries ORDER BY id').fetchall()
                notes = [n for n, in db.execute('SELECT note FROM checkpoints ORDER BY size')]
                columns = 'boot, rec, seq, bytes, ending, manifest, digest, receipt'
                catalog = db.execute('SELECT %s FROM segments ORDER BY boot, rec, seq' % columns).fetchall()
            except sqlite3.Error:
                self.say('not-ok', 'malformed', 'lapel.db')
                return
            finally:
                db.close()
        gone = self.log(rows, notes, boots)
        self.catalog(catalog, gone)

    def checkpoint(self, note, device):
        """(size, root) of a C2SP tlog-checkpoint signed by the device key."""
        text, _, lines = note.rpartition('\n\n')
        text += '\n'
        origin, size, root = text.split('\n')[:3]
        name = 'lapel.example/' + device
        raw = self.devices.get(device)
        if origin != name or raw is None:
            raise Bad('malformed')
        mine = sha(name.encode(), b'\n\1', raw)[:4]
        sigs = [base64.b64decode(line.split(' ')[2]) for line in lines.splitlines() if line.split(' ')[1] == name]
        sigs = [sig[4:] for sig in sigs if sig[:4] == mine]
        if not sigs or not all(signed(raw, text.encode(), sig) for sig in sigs):
            raise Bad('bad-signature')
        return int(size), base64.b64decode(root)

    def log(self, rows, notes, boots):
        """Judges the device log; returns the segments that it says may be gone."""
        frontier, roots, claims, gone = Frontier(), {0: sha()}, {}, set()
        device, told, now = None, set(), None
        for number, kind, text, leaf in rows:
            index = frontier.size
            if number - 1 > index:
                self.say('not-ok', 'missing', 'lapel.db')
            own = stands = sha(b'\0', text.encode())
            try:
                envelope = Envelope(text)
                own = sha(b'\0', envelope.pae)
                body = envelope.read('entry')
                session = self.session(body['boot'])
                if isinstance(session, dict):
                    envelope.open('entry', session['key'])
                elif body['boot'] not in told:
                    told.add(body['boot'])
                    self.problems.append(session)
                device = device or body['device']
                if body['device'] != device:
                    self.say('not-ok', 'wrong-place', 'log')
                else:
                    now = self.order(body, now, session)
                    seg = body.get('seg')
                    if body['type'] in ('segment', 'recovered'):
                        if claims.setdefault(seg, body['man']) != body['man']:
                            self.say('not-ok', 'contradiction', 'log')
                    elif seg is not None and claims.get(seg) != body['man']:
                        self.say('not-ok', 'contradiction', 'log')
                    if body['type'] in ('deletable', 'deleted'):
                        gone.add(seg)
                    if body['type'] == 'kept':
                        gone.discard(seg)
                if body['type'] != kind:
                    self.say('not-ok', 'contradiction', 'lapel.db')
                stands = own
            except (Bad, KeyError) as error:
                self.say('not-ok', str(error) if isinstance(error, Bad) else 'malformed', 'log')
            if own != leaf:
                self.say('not-ok', 'changed', 'lapel.db')
            frontier.push(stands)
            roots[frontier.size] = frontier.root()
        self.vouched(notes, roots, frontier.size, device)
        newest = now['boot'] if now else 0
        for boot in boots:
            if boot > newest and self.file('%d/session.dsse' % boot) is not None:
                self.say('ok-with-missing', 'missing', 'log')
        for seg, man in claims.items():
            found = self.segments.get(tuple(map(int, seg.split('/'))))
            if found is None and seg not in gone:
                self.say('ok-with-missing', 'missing', seg + '.dsse')
            elif found and found['digest'] not in (None, man):
                self.say('not-ok', 'contradiction', seg + '.dsse')
        for found in self.segments.values():
            if found['digest'] is not None and found['name'] not in claims:
                self.say('ok-with-missing', 'missing', 'log')
        return gone

    def vouched(self, notes, roots, size, device):
        held = 0
        for note in notes + self.checkpoints:
            try:
                over, root = self.checkpoint(note, device or '')
                held += 1
                if over > size:
                    self.say('not-ok', 'rolled-back', 'log')
                elif roots[over] != root:
                    self.say('not-ok', 'forked', 'log')
            except (Bad, ValueError, IndexError) as error:
                self.say('not-ok', str(error) if isinstance(error, Bad) else 'malformed', 'checkpoint')
        if held == 0:
            self.say('not-feasible', 'unproven', 'log')

    def order(self, e, now, session):
        say = lambda state, what: self.say(state, what, 'log')
        boot, mono, kind = e['boot'], e['mono'], e['type']
        if now is None or boot > now['boot']:
            if boot > (now['boot'] if now else 0) + 1:
                say('ok-with-missing', 'missing')
            if kind != 'boot':
                say('not-ok', 'broken-chain')
            return {'boot': boot, 'to': mono, 'count': 1, 'beats': 0, 'ended': False}
        if boot < now['boot']:
            say('not-ok', 'broken-chain')
            return now
        if mono < now['to']:
            say('not-ok', 'contradiction')
        elif mono - now['to'] > SILENCE_MS:
            say('ok-with-missing', 'silence')
        if kind == 'heartbeat':
            if e['beat'] <= now['beats']:
                say('not-ok', 'contradiction')
            elif e['beat'] > now['beats'] + 1:
                say('ok-with-missing', 'silence')
            now['beats'] = max(now['beats'], e['beat'])
        if kind == 'boot' or (now['count'] == 1) != (kind == 'session-key') or now['ended']:
            say('not-ok', 'contradiction')
        elif kind == 'session-key' and isinstance(session, dict) and e['cert'] != session['digest']:
            say('not-ok', 'contradiction')
        now.update(to=max(now['to'], mono), count=now['count'] + 1, ended=kind == 'end')
        return now

    def catalog(self, rows, gone):
        known = set()
        for boot, rec, seq, size, ending, manifest, digest, receipt in rows:
            ref = (boot, rec, seq)
            found = self.segments.get(ref)
            known.add(ref)
            try:
                envelope = Envelope(manifest)
                body = envelope.read('segment')
                if (body['boot'], body['rec'], body['seq']) != ref or envelope.digest != digest \
                        or body['file']['size'] != size or body['end'] != ending:
                    self.say('not-ok', 'contradiction', 'lapel.db')
                text = self.text('%d/%d/%d.dsse' % ref)
                if text is not None and text != manifest.rstrip('\n') + '\n':
                    self.say('not-ok', 'contradiction', 'lapel.db')
            except (Bad, KeyError, TypeError):
                self.say('not-ok', 'contradiction', 'lapel.db')
            if receipt is not None:
                m, man = (found['m'], found['digest']) if found else (None, None)
                self.receipt(receipt + '\n', 'lapel.db', ref, m, man)
            if found is None and '%d/%d/%d' % ref not in gone:
                self.say('ok-with-missing', 'missing', 'lapel.db')
        for ref, found in self.segments.items():
            m = found['m']
            if m and m['media']['duration90k'] >= 180_000 and self.file(found['name'] + '.heads') is None:
                self.say('ok-with-missing', 'missing', found['name'] + '.heads')
            if ref not in known and self.file(found['name'] + '.dsse') is not None:
                self.say('ok-with-missing', 'missing', 'lapel.db')

    # --- everything ----------------------------------------------------------------------------------------------

    def run(self):
        numbers = lambda *place: sorted(int(n) for n in os.listdir(os.path.join(self.evidence, *place))
                                        if COUNTER.match(n) and os.path.isdir(os.path.join(self.evidence, *place, n)))
        boots = numbers()
        for boot in boots:
            for rec in numbers(str(boot)):
                names = os.listdir(os.path.join(self.evidence, str(boot), str(rec)))
                parts = [n.partition('.') for n in names]
                seqs = sorted({int(s) for s, _, e in parts if COUNTER.match(s) and '.' + e in ENDS})
                refs = [(boot, rec, seq) for seq in seqs]
                for ref in refs:
                    self.segment(ref)
                if refs:
                    self.recording(refs)
        if not self.segments and not self.database:
            sys.exit('verify.py: there is no segment in ' + self.root)
        self.owner(boots)
        if self.database:
            self.records(boots)
        state = worst(p[0] for p in self.problems)
        segments = [{'segment': s['name'], 'state': s['state']} for s in self.segments.values()]
        problems = sorted(set(self.problems))
        return {'state': state, 'segments': segments, 'problems': problems}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('path', nargs='+')
    parser.add_argument('--trust', required=True)
    parser.add_argument('--identity')
    parser.add_argument('--checkpoint', action='append', default=[])
    options = parser.parse_args()
    with open(options.trust) as file:
        trust = json.load(file)
    notes = []
    for name in options.checkpoint:
        with open(name, encoding='utf-8') as file:
            notes.append(file.read())
    state = 'ok'
    for path in options.path:
        report = Judge(path, trust, notes, options.identity).run()
        print(json.dumps({'path': path, **report}), flush=True)
        state = worst([state, report['state']])
    return EXIT[state]


if __name__ == '__main__':
    sys.exit(main())
