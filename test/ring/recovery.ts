import t from 'tap'
import { type Found, type FoundFile, type FoundSegment, type Plan, planRecovery } from '../../agent/ring/recovery.js'
import { sealedName, segmentName } from '../../agent/ring/segment.js'
import type { SegmentIndex } from '../../agent/ring/segment-index.js'

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
  segment(firstSeq, { name: sealedName(firstSeq), sealed: true, ...different })

const index = (firstSeq: number, lastSeq: number, different: Partial<SegmentIndex> = {}): SegmentIndex => ({
  firstSeq,
  lastSeq,
  thinned: false,
  types: {},
  gaps: [],
  members: [],
  ...different,
})

/** A sealed one of which nobody has asked what is in it. */
const unasked = (firstSeq: number): FoundSegment => sealed(firstSeq, { isRead: false, ...noRecord })

/** A sealed one whose index was read, and nothing else. */
const indexed = (firstSeq: number, lastSeq: number, different: Partial<SegmentIndex> = {}): FoundSegment => ({
  ...unasked(firstSeq),
  index: index(firstSeq, lastSeq, different),
})

const other = (kind: FoundFile['kind'], name: string, firstSeq: number | null = null, bytes = 100): FoundFile => ({
  kind,
  name,
  firstSeq,
  bytes,
})

const plan = (found: Partial<Found>) =>
  planRecovery({ segments: [], others: [], facts: null, gaps: [], givenOut: 0, owed: [], ...found })

const damage = (fromSeq: number, toSeq: number, count = toSeq - fromSeq + 1) => ({
  reason: 'damage' as const,
  count,
  fromSeq,
  toSeq,
})

const overflow = (fromSeq: number, toSeq: number, count = toSeq - fromSeq + 1) => ({
  reason: 'overflow' as const,
  count,
  fromSeq,
  toSeq,
})

/** The whole of what is planned: an empty ring, with what is different about it. */
const planned = (different: Partial<Plan>): Plan => ({
  steps: [],
  segments: [],
  writable: null,
  quarantined: [],
  nextSeq: 1,
  losses: [],
  told: [],
  goneTo: 0,
  ...different,
})

const keep = ({ name }: FoundSegment, reason = 'it is sound') => ({ name, action: 'keep', reason, lost: 0 }) as const

/** A segment as it is when recovery is done. */
const kept = (found: FoundSegment, different: Partial<Plan['segments'][number]> = {}): Plan['segments'][number] => ({
  name: found.name,
  firstSeq: found.firstSeq,
  sealed: found.sealed,
  bytes: found.bytes,
  isText: !found.sealed && found.unreadable === null,
  isTold: false,
  ...(found.index ? { index: found.index } : {}),
  ...different,
})

t.test('an empty directory begins with number 1', async t => {
  t.strictSame(plan({}), planned({}))
})

t.test('what is sound is kept, and the numbers go on', async t => {
  const [older, newer] = [segment(1), segment(11)]
  t.strictSame(
    plan({ segments: [newer, older] }),
    planned({
      steps: [keep(older), keep(newer)],
      segments: [kept(older), kept(newer)],
      writable: newer.name,
      nextSeq: 21,
    }),
  )
})

t.test('half a line at the end of the newest segment is cut, and nobody ever was told it is there', async t => {
  const torn = segment(11, { bytes: 1_050, tailBytes: 50 })
  t.strictSame(
    plan({ segments: [segment(1), torn] }),
    planned({
      steps: [
        keep(segment(1)),
        {
          name: segmentName(11),
          action: 'cut',
          toBytes: 1_000,
          reason: 'the last line was not written to its end',
          lost: 0,
        },
      ],
      segments: [kept(segment(1)), kept(torn, { bytes: 1_000 })],
      writable: torn.name,
      nextSeq: 21,
    }),
  )
})

t.test('whole lines that are damaged at the end are cut too, counted, and their numbers never used again', async t => {
  const damaged = segment(1, { bytes: 1_250, tailBytes: 250, tailLineEnds: 2 })
  t.strictSame(
    plan({ segments: [damaged] }),
    planned({
      steps: [
        {
          name: segmentName(1),
          action: 'cut',
          toBytes: 1_000,
          reason: 'at its end 2 lines are damaged',
          lost: 2,
        },
      ],
      segments: [kept(damaged, { bytes: 1_000 })],
      writable: damaged.name,
      nextSeq: 13,
      losses: [damage(11, 12)],
    }),
  )
})

t.test('holes in a text, and what is missing at the end of a full one, are told before sealing hides them', async t => {
  const full = segment(1, { records: 8, lastSeq: 8, bytes: 1_050, tailBytes: 50, tailLineEnds: 1 })
  const holes = [
    { fromSeq: 12, toSeq: 12 },
    { fromSeq: 14, toSeq: 15 },
  ]
  const newest = segment(11, { records: 7, badStretches: 2, missing: holes })
  t.strictSame(
    plan({ segments: [full, newest] }),
    planned({
      steps: [keep(full, '1 stretch is damaged'), keep(newest, '2 stretches are damaged')],
      segments: [kept(full), kept(newest)],
      writable: newest.name,
      nextSeq: 21,
      losses: [damage(9, 10), damage(12, 12), damage(14, 15)],
    }),
  )
})

t.test('bytes that are no record, where none is missing, are nothing to tell of', async t => {
  const found = [segment(1, { tailBytes: 30, tailLineEnds: 1 }), segment(11, { badStretches: 2 })] as const
  t.strictSame(
    plan({ segments: found }),
    planned({
      steps: [keep(found[0], '1 stretch is damaged'), keep(found[1], '2 stretches are damaged')],
      segments: found.map(segment => kept(segment)),
      writable: found[1].name,
      nextSeq: 21,
    }),
  )
})

t.test('a hole of which a gap record has told is not told of again', async t => {
  const hole = { records: 8, badStretches: 1, missing: [{ fromSeq: 4, toSeq: 5 }] }
  const { losses, told } = plan({ segments: [segment(1, hole)], gaps: [damage(4, 4)] })
  t.strictSame({ losses, told }, { losses: [damage(5, 5)], told: [damage(4, 4)] })
})

t.test('a segment without a sound record goes into quarantine, and the next one tells how much it held', async t => {
  const garbage = segment(11, { ...noRecord, tailBytes: 1_000, tailLineEnds: 3 })
  t.strictSame(
    plan({ segments: [segment(1), garbage, segment(21)] }),
    planned({
      steps: [
        keep(segment(1)),
        {
          name: segmentName(11),
          action: 'quarantine',
          to: `${segmentName(11)}.bad`,
          reason: 'there is no sound record in it',
          lost: 10,
        },
        keep(segment(21)),
      ],
      segments: [kept(segment(1)), kept(segment(21))],
      writable: segmentName(21),
      quarantined: [{ name: `${segmentName(11)}.bad`, bytes: 1_000 }],
      nextSeq: 31,
      losses: [damage(11, 20)],
    }),
  )
})

t.test('in the newest segment only the line ends tell how much it held', async t => {
  const garbage = segment(11, { ...noRecord, tailBytes: 1_000, tailLineEnds: 3 })
  const { nextSeq, losses, writable } = plan({ segments: [segment(1), garbage] })
  t.strictSame({ nextSeq, losses, writable }, { nextSeq: 14, losses: [damage(11, 13)], writable: null })
})

t.test('a newest segment with nothing but the beginning of a line is deleted, and its number used', async t => {
  const begun = segment(11, { ...noRecord, bytes: 50, tailBytes: 50 })
  t.strictSame(
    plan({ segments: [segment(1), begun] }),
    planned({
      steps: [
        keep(segment(1)),
        { name: segmentName(11), action: 'delete', reason: 'it holds nothing but the beginning of a line', lost: 0 },
      ],
      segments: [kept(segment(1))],
      nextSeq: 11,
    }),
  )
})

t.test('an empty segment is deleted; when it is not the newest its records are missing', async t => {
  const empty = { ...noRecord, bytes: 0 }
  t.strictSame(
    plan({ segments: [segment(1, empty), segment(11), segment(30, empty)] }),
    planned({
      steps: [
        { name: segmentName(1), action: 'delete', reason: 'it is empty', lost: 10 },
        keep(segment(11)),
        { name: segmentName(30), action: 'delete', reason: 'it is empty', lost: 0 },
      ],
      segments: [kept(segment(11))],
      nextSeq: 30,
      losses: [damage(1, 10), damage(21, 29)],
    }),
  )
})

t.test('a name tells that the numbers before it were used, when nothing else is left that does', async t => {
  const { nextSeq, losses } = plan({ segments: [segment(14, { ...noRecord, bytes: 0 }), segment(1)] })
  t.strictSame({ nextSeq, losses }, { nextSeq: 14, losses: [damage(11, 13)] })
})

t.test('a segment the medium does not give back is left alone, and its numbers are not used again', async t => {
  const unreadable = { ...noRecord, unreadable: 'EIO', bytes: 400 }
  const inTheMiddle = plan({ segments: [segment(1), segment(11, unreadable), segment(21)] })
  t.strictSame(inTheMiddle.losses, [], 'nobody knows yet')
  t.strictSame(inTheMiddle.segments[1], kept(segment(11, unreadable)), 'it will not be sealed')
  const newest = plan({ segments: [segment(1), segment(11, unreadable)] })
  t.strictSame(
    newest,
    planned({
      steps: [keep(segment(1)), keep(segment(11), 'it cannot be read to its end (EIO)')],
      segments: [kept(segment(1)), kept(segment(11, unreadable))],
      nextSeq: 32,
      losses: [damage(11, 31, 1)],
    }),
  )
  const half = plan({ segments: [segment(11, { ...unreadable, records: 5, lastSeq: 15 })] })
  t.strictSame(half.losses, [damage(16, 31, 1)])
})

t.test('of sealed segments nobody asks but for the newest, and they are never written to', async t => {
  const newest = sealed(21, { index: index(21, 30) })
  const found = [unasked(1), indexed(11, 20), newest] as const
  t.strictSame(
    plan({ segments: found }),
    planned({
      steps: [keep(found[0], 'it is sealed'), keep(found[1], 'it is sealed'), keep(newest)],
      segments: found.map(segment => kept(segment)),
      nextSeq: 31,
    }),
  )
})

t.test('a sealed segment is never cut', async t => {
  const older = plan({ segments: [sealed(1, { tailBytes: 100, tailLineEnds: 1 }), segment(11)] })
  t.strictSame(older.steps[0], keep(sealed(1), '1 stretch is damaged'))
  t.strictSame(older.losses, [])
  const newest = plan({ segments: [sealed(1, { tailBytes: 100, tailLineEnds: 1 })] })
  t.equal(newest.steps[0]?.action, 'keep')
  t.strictSame(newest.losses, [damage(11, 52_430, 1)], 'its numbers are not used again')
  const unreadable = plan({ segments: [sealed(1, { ...noRecord, tailBytes: 1_000, tailLineEnds: 1 })] })
  t.equal(unreadable.steps[0]?.action, 'quarantine')
  t.strictSame(unreadable.losses, [damage(1, 52_430, 1)])
})

t.test('what stood between a sealed segment and one in quarantine is told where a crash came before that', async t => {
  const quarantined = other('quarantined', `${segmentName(21)}.bad`, 21)
  for (const found of [sealed(1, { index: index(1, 12), lastSeq: 12 }), sealed(1, { lastSeq: 12 })]) {
    const { nextSeq, losses } = plan({ segments: [found], others: [quarantined] })
    t.strictSame({ nextSeq, losses }, { nextSeq: 27, losses: [damage(13, 20), damage(21, 26, 1)] })
  }
})

t.test('where the index tells how far the newest went, damage at its end is left to its readers too', async t => {
  const found = sealed(1, { index: index(1, 14), tailBytes: 100, tailLineEnds: 1 })
  const { steps, losses, nextSeq } = plan({ segments: [found] })
  t.strictSame(
    { step: steps[0], losses, nextSeq },
    { step: keep(found, '1 stretch is damaged'), losses: [], nextSeq: 15 },
  )
})

t.test('what a member held that is damaged is left to its readers, for it is known at any time', async t => {
  const damaged = sealed(1, { index: index(1, 10), records: 6, badStretches: 1, missing: [{ fromSeq: 3, toSeq: 6 }] })
  const { steps, losses } = plan({ segments: [damaged, segment(11)] })
  t.strictSame({ step: steps[0], losses }, { step: keep(damaged, '1 stretch is damaged'), losses: [] })
})

t.test('of a text and its sealed copy the text goes, when the copy can be believed', async t => {
  const text = segment(1)
  const copy = indexed(1, 10)
  t.strictSame(
    plan({ segments: [text, copy, segment(11)] }),
    planned({
      steps: [
        { name: text.name, action: 'delete', reason: 'the same is there as another file', lost: 0 },
        keep(copy, 'it is sealed'),
        keep(segment(11)),
      ],
      segments: [kept(copy), kept(segment(11))],
      writable: segmentName(11),
      nextSeq: 21,
    }),
  )
  const unbelieved = sealed(1, { tailBytes: 100, tailLineEnds: 1 })
  t.strictSame(
    plan({ segments: [text, unbelieved, segment(11)] }),
    planned({
      steps: [
        keep(text),
        { name: unbelieved.name, action: 'delete', reason: 'the same is there as another file', lost: 0 },
        keep(segment(11)),
      ],
      segments: [kept(text), kept(segment(11))],
      writable: segmentName(11),
      nextSeq: 21,
    }),
  )
})

t.test('where the newest was sealed and its text is still there, the next record begins a segment', async t => {
  const copy = sealed(1, { index: index(1, 10) })
  const { steps, segments, writable, nextSeq, losses } = plan({ segments: [segment(1), copy] })
  t.strictSame(
    { actions: steps.map(({ action }) => action), segments, writable, nextSeq, losses },
    { actions: ['delete', 'keep'], segments: [kept(copy)], writable: null, nextSeq: 11, losses: [] },
  )
})

t.test('a segment that a gap record says is gone is deleted without another word', async t => {
  t.strictSame(
    plan({ segments: [segment(1), segment(11)], gaps: [overflow(1, 10)] }),
    planned({
      steps: [
        {
          name: segmentName(1),
          action: 'delete',
          reason: 'a gap record says already that it went by overflow',
          lost: 0,
        },
        keep(segment(11)),
      ],
      segments: [kept(segment(11))],
      writable: segmentName(11),
      nextSeq: 21,
      goneTo: 10,
    }),
  )
})

t.test('one of which a gap record says that a part stays is kept, and its next loss counts only that part', async t => {
  const whole = indexed(1, 10)
  const thinned = indexed(1, 10, { thinned: true })
  const gaps = [overflow(1, 10, 8)]
  const before = plan({ segments: [whole, segment(11)], gaps })
  t.strictSame(
    { segments: before.segments, losses: before.losses },
    { segments: [kept(whole, { isTold: true }), kept(segment(11))], losses: [] },
    'a crash came before it was thinned',
  )
  const after = plan({ segments: [thinned, segment(11)], gaps })
  t.strictSame(
    { segments: after.segments, losses: after.losses },
    { segments: [kept(thinned), kept(segment(11))], losses: [] },
    'it was thinned, and what is in it is all that can still be lost',
  )
})

t.test('of two gap records about the same segment the newer one says what stays of it', async t => {
  const whole = indexed(1, 10)
  const some = { fromSeq: 1, types: ['episode'], opening: true, count: 2 }
  const first = { ...overflow(1, 10, 8), kept: some }
  const second = { ...overflow(1, 10, 2), kept: null }
  t.strictSame(plan({ segments: [whole, segment(11)], gaps: [first] }).segments, [
    kept(whole, { isTold: true, kept: some }),
    kept(segment(11)),
  ])
  t.strictSame(
    plan({ segments: [whole, segment(11)], gaps: [first, second] }).segments,
    [kept(whole, { isTold: true, kept: null }), kept(segment(11))],
    'what was told to stay could not be kept, and was told of too',
  )
})

t.test('a crash after the merging of two thinned segments leaves the second to be deleted', async t => {
  const merged = indexed(1, 20, { thinned: true })
  const second = indexed(11, 20)
  const found = { segments: [merged, second, segment(21)], gaps: [overflow(1, 10, 8), overflow(11, 20, 8)] }
  t.strictSame(
    plan(found),
    planned({
      steps: [
        keep(merged, 'it is sealed'),
        {
          name: second.name,
          action: 'delete',
          reason: 'what stays of it was added to the segment before it',
          lost: 0,
        },
        keep(segment(21)),
      ],
      segments: [kept(merged), kept(segment(21))],
      writable: segmentName(21),
      nextSeq: 31,
      goneTo: 20,
    }),
  )
})

t.test('what a gap record has told of is not told again', async t => {
  const quarantined = other('quarantined', `${segmentName(11)}.bad`, 11)
  const segments = [segment(1), segment(21)]
  t.strictSame(plan({ segments, others: [quarantined] }).losses, [damage(11, 20)])
  const gaps = [damage(11, 20)]
  t.strictSame(plan({ segments, others: [quarantined], gaps }).losses, [])
})

t.test('what the newest segment says of the past is as good as the gap records that it speaks of', async t => {
  const facts = { goneTo: 10, told: [{ fromSeq: 14, toSeq: 15 }] }
  const quarantined = other('quarantined', `${segmentName(31)}.bad`, 31)
  const hole = segment(11, { records: 8, badStretches: 1, missing: [{ fromSeq: 14, toSeq: 15 }] })
  const found = { segments: [hole, segment(21), segment(41)], others: [quarantined] }
  const { losses, told, goneTo } = plan({
    ...found,
    facts: { ...facts, told: [...facts.told, { fromSeq: 31, toSeq: 40 }] },
  })
  t.strictSame(
    { losses, told, goneTo },
    { losses: [], told: [damage(14, 15), damage(31, 40)], goneTo: 10 },
    'they may have gone by overflow, and nothing is counted twice',
  )
  t.strictSame(plan({ ...found, facts }).losses, [damage(31, 40)])
})

t.test('what was told by damage and has gone by overflow since is no longer remembered', async t => {
  const facts = { goneTo: 0, told: [{ fromSeq: 4, toSeq: 5 }] }
  const { told, goneTo } = plan({ segments: [segment(11)], facts, gaps: [overflow(1, 10, 8), damage(12, 12)] })
  t.strictSame({ told, goneTo }, { told: [damage(12, 12)], goneTo: 10 })
})

t.test('oldest segments that went without a word are told of, as far as it is known how far words go', async t => {
  const found = { segments: [segment(31)] }
  t.strictSame(plan({ ...found, facts: { goneTo: 10, told: [] } }).losses, [damage(11, 30)])
  t.strictSame(plan({ ...found, facts: { goneTo: 30, told: [] } }).losses, [])
  t.strictSame(plan(found).losses, [], 'a ring of an earlier version: it may have been said in what is gone')
})

t.test('what a quarantined file and the hole where it was both speak of is told once, exactly', async t => {
  const quarantined = other('quarantined', `${segmentName(11)}.bad`, 11)
  const { losses, nextSeq } = plan({ segments: [segment(1), segment(31)], others: [quarantined] })
  t.strictSame({ losses, nextSeq }, { losses: [damage(11, 30)], nextSeq: 41 })
  const guessed = plan({
    segments: [segment(1), segment(31, { ...noRecord, unreadable: 'EIO', bytes: 400 })],
    gaps: [damage(35, 36)],
  })
  t.strictSame(guessed.losses, [damage(11, 30), damage(31, 34, 1), damage(37, 51, 1)])
})

t.test('a crash after the quarantine of the newest segment leaves its numbers unused', async t => {
  const quarantined = other('quarantined', `${segmentName(11)}.bad`, 11, 400)
  const { nextSeq, losses } = plan({ segments: [segment(1)], others: [quarantined] })
  t.strictSame({ nextSeq, losses }, { nextSeq: 32, losses: [damage(11, 31, 1)] })
})

t.test('numbers that gap records, facts, an index or this process know of are never used again', async t => {
  const gaps = [damage(11, 40)]
  t.equal(plan({ segments: [segment(1)], gaps }).nextSeq, 41)
  t.equal(plan({ segments: [segment(1)], facts: { goneTo: 0, told: [{ fromSeq: 11, toSeq: 50 }] } }).nextSeq, 51)
  t.equal(plan({ segments: [sealed(1, { index: index(1, 60) })] }).nextSeq, 61)
  const forgotten = plan({ segments: [segment(1)], givenOut: 15 })
  t.strictSame({ nextSeq: forgotten.nextSeq, losses: forgotten.losses }, { nextSeq: 16, losses: [damage(11, 15)] })
})

t.test('of the other files only what is in quarantine stays', async t => {
  const others = [
    other('temporary', 'probe.tmp'),
    other('index', '00000000000000000001.idx', 1),
    other('index', '00000000000000000099.idx', 99),
    other('quarantined', '00000000000000000001.log.bad', 1),
    other('absurd', '99999999999999999999.log', null, 70),
  ]
  const { steps, quarantined } = plan({ segments: [segment(1)], others })
  t.strictSame(steps.slice(1), [
    { name: 'probe.tmp', action: 'delete', reason: 'it was never finished', lost: 0 },
    { name: '00000000000000000001.idx', action: 'delete', reason: 'each segment holds its own index', lost: 0 },
    { name: '00000000000000000099.idx', action: 'delete', reason: 'each segment holds its own index', lost: 0 },
    { name: '00000000000000000001.log.bad', action: 'keep', reason: 'it is in quarantine and goes first', lost: 0 },
    {
      name: '99999999999999999999.log',
      action: 'quarantine',
      to: '99999999999999999999.log.bad',
      reason: 'no ring reaches such a number',
      lost: 0,
    },
  ])
  t.strictSame(quarantined, [
    { name: '00000000000000000001.log.bad', bytes: 100 },
    { name: '99999999999999999999.log.bad', bytes: 70 },
  ])
})
