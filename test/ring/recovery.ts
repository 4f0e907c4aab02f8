import t from 'tap'
import { type Found, type FoundFile, type FoundSegment, planRecovery } from '../../agent/ring/recovery.js'
import { segmentName } from '../../agent/ring/segment.js'

/** A sound text segment of ten records, with what is different about it. */
const segment = (firstSeq: number, different: Partial<FoundSegment> = {}): FoundSegment => ({
  name: segmentName(firstSeq),
  firstSeq,
  sealed: false,
  bytes: 1_000,
  isRead: true,
  index: null,
  missing: [],
  unreadable: null,
  records: 10,
  lastSeq: firstSeq + 9,
  badStretches: 0,
  soundBytes: 1_000,
  tailBytes: 0,
  tailLineEnds: 0,
  ...different,
})

const noRecord = { records: 0, lastSeq: 0, soundBytes: 0 }

const sealed = (firstSeq: number, different: Partial<FoundSegment> = {}): FoundSegment =>
  segment(firstSeq, { name: `${String(firstSeq).padStart(20, '0')}.ndjson.gz`, sealed: true, ...different })

const other = (kind: FoundFile['kind'], name: string, firstSeq: number | null = null, bytes = 100): FoundFile => ({
  kind,
  name,
  firstSeq,
  bytes,
})

const plan = (found: Partial<Found>) =>
  planRecovery({ segments: [], others: [], facts: null, gaps: [], givenOut: 0, ...found })

const damage = (fromSeq: number, toSeq: number, count = toSeq - fromSeq + 1) => ({
  reason: 'damage' as const,
  count,
  fromSeq,
  toSeq,
})

t.test('an empty directory begins with number 1', async t => {
  t.strictSame(plan({}), { steps: [], nextSeq: 1, losses: [] })
})

t.test('what is sound is kept, and the numbers go on', async t => {
  t.strictSame(plan({ segments: [segment(11), segment(1)] }), {
    steps: [
      { name: segmentName(1), action: 'keep', reason: 'it is sound', lost: 0 },
      { name: segmentName(11), action: 'keep', reason: 'it is sound', lost: 0 },
    ],
    nextSeq: 21,
    losses: [],
  })
})

t.test('half a line at the end of the newest segment is cut, and nobody ever was told it is there', async t => {
  const torn = segment(11, { bytes: 1_050, tailBytes: 50 })
  t.strictSame(plan({ segments: [segment(1), torn] }), {
    steps: [
      { name: segmentName(1), action: 'keep', reason: 'it is sound', lost: 0 },
      {
        name: segmentName(11),
        action: 'cut',
        toBytes: 1_000,
        reason: 'the last line was not written to its end',
        lost: 0,
      },
    ],
    nextSeq: 21,
    losses: [],
  })
})

t.test('whole lines that are damaged at the end are cut too, counted, and their numbers never used again', async t => {
  const damaged = segment(1, { bytes: 1_250, tailBytes: 250, tailLineEnds: 2 })
  t.strictSame(plan({ segments: [damaged] }), {
    steps: [
      {
        name: segmentName(1),
        action: 'cut',
        toBytes: 1_000,
        reason: 'at its end 2 lines are damaged',
        lost: 2,
      },
    ],
    nextSeq: 13,
    losses: [damage(11, 12)],
  })
})

t.test('damage before sound lines, and in segments that are full, is left to the readers', async t => {
  const found = [segment(1, { tailBytes: 30, tailLineEnds: 1 }), segment(11, { badStretches: 2 })]
  t.strictSame(plan({ segments: found }), {
    steps: [
      { name: segmentName(1), action: 'keep', reason: '1 stretch is damaged and left to its readers', lost: 0 },
      { name: segmentName(11), action: 'keep', reason: '2 stretches are damaged and left to its readers', lost: 0 },
    ],
    nextSeq: 21,
    losses: [],
  })
})

t.test('a segment without a sound record goes into quarantine, and the next one tells how much it held', async t => {
  const garbage = segment(11, { ...noRecord, tailBytes: 1_000, tailLineEnds: 3 })
  t.strictSame(plan({ segments: [segment(1), garbage, segment(21)] }), {
    steps: [
      { name: segmentName(1), action: 'keep', reason: 'it is sound', lost: 0 },
      {
        name: segmentName(11),
        action: 'quarantine',
        to: `${segmentName(11)}.bad`,
        reason: 'there is no sound record in it',
        lost: 10,
      },
      { name: segmentName(21), action: 'keep', reason: 'it is sound', lost: 0 },
    ],
    nextSeq: 31,
    losses: [damage(11, 20)],
  })
})

t.test('in the newest segment only the line ends tell how much it held', async t => {
  const garbage = segment(11, { ...noRecord, tailBytes: 1_000, tailLineEnds: 3 })
  const { nextSeq, losses } = plan({ segments: [segment(1), garbage] })
  t.strictSame({ nextSeq, losses }, { nextSeq: 14, losses: [damage(11, 13)] })
})

t.test('a newest segment with nothing but the beginning of a line is deleted, and its number used', async t => {
  const begun = segment(11, { ...noRecord, bytes: 50, tailBytes: 50 })
  t.strictSame(plan({ segments: [segment(1), begun] }), {
    steps: [
      { name: segmentName(1), action: 'keep', reason: 'it is sound', lost: 0 },
      { name: segmentName(11), action: 'delete', reason: 'it holds nothing but the beginning of a line', lost: 0 },
    ],
    nextSeq: 11,
    losses: [],
  })
})

t.test('an empty segment is deleted; when it is not the newest its records are missing', async t => {
  const empty = { ...noRecord, bytes: 0 }
  t.strictSame(plan({ segments: [segment(1, empty), segment(11), segment(30, empty)] }), {
    steps: [
      { name: segmentName(1), action: 'delete', reason: 'it is empty', lost: 10 },
      { name: segmentName(11), action: 'keep', reason: 'it is sound', lost: 0 },
      { name: segmentName(30), action: 'delete', reason: 'it is empty', lost: 0 },
    ],
    nextSeq: 30,
    losses: [damage(1, 10), damage(21, 29)],
  })
})

t.test('a name tells that the numbers before it were used, when nothing else is left that does', async t => {
  const { nextSeq, losses } = plan({ segments: [segment(14, { ...noRecord, bytes: 0 }), segment(1)] })
  t.strictSame({ nextSeq, losses }, { nextSeq: 14, losses: [damage(11, 13)] })
})

t.test('a segment the medium does not give back is left alone, and its numbers are not used again', async t => {
  const unreadable = { ...noRecord, unreadable: 'EIO', bytes: 400 }
  const inTheMiddle = plan({ segments: [segment(1), segment(11, unreadable), segment(21)] })
  t.strictSame(inTheMiddle.losses, [])
  const newest = plan({ segments: [segment(1), segment(11, unreadable)] })
  t.strictSame(newest, {
    steps: [
      { name: segmentName(1), action: 'keep', reason: 'it is sound', lost: 0 },
      { name: segmentName(11), action: 'keep', reason: 'it cannot be read to its end (EIO)', lost: 0 },
    ],
    nextSeq: 32,
    losses: [damage(11, 31, 1)],
  })
  const half = plan({ segments: [segment(11, { ...unreadable, records: 5, lastSeq: 15 })] })
  t.strictSame(half.losses, [damage(16, 31, 1)])
})

t.test('a sealed segment is never cut', async t => {
  const older = plan({ segments: [sealed(1, { tailBytes: 100, tailLineEnds: 1 }), segment(11)] })
  t.strictSame(older.steps[0], {
    name: sealed(1).name,
    action: 'keep',
    reason: '1 stretch is damaged and left to its readers',
    lost: 0,
  })
  t.strictSame(older.losses, [])
  const newest = plan({ segments: [sealed(1, { tailBytes: 100, tailLineEnds: 1 })] })
  t.equal(newest.steps[0]?.action, 'keep')
  t.strictSame(newest.losses, [damage(11, 52_430, 1)], 'its numbers are not used again')
  const unreadable = plan({ segments: [sealed(1, { ...noRecord, tailBytes: 1_000, tailLineEnds: 1 })] })
  t.equal(unreadable.steps[0]?.action, 'quarantine')
  t.strictSame(unreadable.losses, [damage(1, 52_430, 1)])
})

t.test('a segment that a gap record says is gone is deleted without another word', async t => {
  const found = plan({
    segments: [segment(1), segment(11)],
    gaps: [{ reason: 'overflow', count: 10, fromSeq: 1, toSeq: 10 }],
  })
  t.strictSame(found, {
    steps: [
      {
        name: segmentName(1),
        action: 'delete',
        reason: 'a gap record says already that it went by overflow',
        lost: 0,
      },
      { name: segmentName(11), action: 'keep', reason: 'it is sound', lost: 0 },
    ],
    nextSeq: 21,
    losses: [],
  })
})

t.test('what a gap record has told of is not told again', async t => {
  const quarantined = other('quarantined', `${segmentName(11)}.bad`, 11)
  const segments = [segment(1), segment(21)]
  t.strictSame(plan({ segments, others: [quarantined] }).losses, [damage(11, 20)])
  const gaps = [damage(11, 20)]
  t.strictSame(plan({ segments, others: [quarantined], gaps }).losses, [])
})

t.test('a crash after the quarantine of the newest segment leaves its numbers unused', async t => {
  const quarantined = other('quarantined', `${segmentName(11)}.bad`, 11, 400)
  const { nextSeq, losses } = plan({ segments: [segment(1)], others: [quarantined] })
  t.strictSame({ nextSeq, losses }, { nextSeq: 32, losses: [damage(11, 31, 1)] })
})

t.test('numbers that gap records or this process know of are never used again', async t => {
  const gaps = [damage(11, 40)]
  t.equal(plan({ segments: [segment(1)], gaps }).nextSeq, 41)
  const forgotten = plan({ segments: [segment(1)], givenOut: 15 })
  t.strictSame({ nextSeq: forgotten.nextSeq, losses: forgotten.losses }, { nextSeq: 16, losses: [damage(11, 15)] })
})

t.test('of the other files only the unfinished and the orphans go', async t => {
  const others = [
    other('temporary', 'probe.tmp'),
    other('index', '00000000000000000001.idx', 1),
    other('index', '00000000000000000099.idx', 99),
    other('quarantined', '00000000000000000001.log.bad', 1),
    other('absurd', '99999999999999999999.log'),
  ]
  t.strictSame(plan({ segments: [segment(1)], others }).steps.slice(1), [
    { name: 'probe.tmp', action: 'delete', reason: 'it was never finished', lost: 0 },
    { name: '00000000000000000001.idx', action: 'keep', reason: 'it belongs to a segment', lost: 0 },
    { name: '00000000000000000099.idx', action: 'delete', reason: 'its segment is gone', lost: 0 },
    { name: '00000000000000000001.log.bad', action: 'keep', reason: 'it is in quarantine and goes first', lost: 0 },
    {
      name: '99999999999999999999.log',
      action: 'quarantine',
      to: '99999999999999999999.log.bad',
      reason: 'no ring reaches such a number',
      lost: 0,
    },
  ])
})
