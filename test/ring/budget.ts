/** A budget that changes while the ring is written: a smaller one is kept at once, nothing goes untold, and a larger one is used. */
import t from 'tap'
import { openRing } from '../../agent/ring/open.js'
import { accountOf, bytesOf } from '../support/ring-account.js'
import { noisyJson, seedFrom, stamp } from '../support/ring-records.js'

const kibibyte = 1024

async function scene(dir: string, budgetBytes: number) {
  const { ring } = await openRing({ dir, budgetBytes, stamp })
  const promised = new Map<number, number>()
  let appended = 0
  const append = async (bytes: number): Promise<void> => {
    const id = ++appended
    promised.set(await ring.append(noisyJson(id, bytes), 'kernel'), id)
  }
  return {
    ring,
    append,
    async write(bytes: number): Promise<void> {
      for (let left = bytes; left > 0; left -= 8_192) await append(8_000)
    },
    async account() {
      await ring.close()
      const { lost, said, problems } = await accountOf(dir, appended, promised)
      return { unsaid: lost - said, problems }
    },
  }
}

const nothingWrong = { unsaid: 0, problems: [] }

t.test('a smaller budget is kept as soon as it is set, and a larger one is used', async t => {
  const dir = t.testdir()
  const { ring, write, account } = await scene(dir, 2048 * kibibyte)
  await write(1536 * kibibyte)
  t.ok(bytesOf(dir) > 1024 * kibibyte, 'it has grown')

  const beside = write(256 * kibibyte)
  await ring.setBudget(512 * kibibyte)
  t.ok(bytesOf(dir) <= 512 * kibibyte, `${bytesOf(dir)} bytes`)
  await beside
  t.equal(ring.state.budgetBytes, 512 * kibibyte)
  await write(1024 * kibibyte)
  t.ok(bytesOf(dir) <= 512 * kibibyte, `${bytesOf(dir)} bytes after more was written`)

  await ring.setBudget(1024 * kibibyte)
  await write(1024 * kibibyte)
  t.ok(bytesOf(dir) > 512 * kibibyte && bytesOf(dir) <= 1024 * kibibyte, `${bytesOf(dir)} bytes`)
  t.strictSame(await account(), nothingWrong)
})

t.test('whatever it changes to and when, it is kept to, and the account is true', async t => {
  const seed = seedFrom('HUBREC_TEST_SEED')
  t.comment(`HUBREC_TEST_SEED=${seed}`)
  let state = seed
  const random = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  const rounds = process.env.HUBREC_TEST_LONG ? 400 : 3
  for (let round = 0; round < rounds; round++) {
    const dir = t.testdir()
    const { ring, append, account } = await scene(dir, 256 * kibibyte * (1 + random(8)))
    for (let change = 0; change < 4; change++) {
      const writing: Promise<void>[] = []
      for (let count = random(60); count > 0; count--) writing.push(append(100 + random(30_000)))
      if (random(2) === 0) await Promise.all(writing)
      const budgetBytes = 256 * kibibyte + random(1024 * kibibyte)
      await ring.setBudget(budgetBytes)
      const bytes = bytesOf(dir)
      await Promise.all(writing)
      t.ok(bytes <= budgetBytes, `round ${round}: ${bytes} of ${budgetBytes} bytes`)
    }
    t.strictSame(await account(), nothingWrong, `round ${round}`)
  }
})

t.test('a closed ring takes another budget and does nothing', async t => {
  const { ring, write, account } = await scene(t.testdir(), 1024 * kibibyte)
  await write(64 * kibibyte)
  t.strictSame(await account(), nothingWrong)
  await ring.setBudget(256 * kibibyte)
  t.equal(ring.state.budgetBytes, 256 * kibibyte)
})
