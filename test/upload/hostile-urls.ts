/** URLs that would lead a device astray: none is accepted, and none is repeated. */
import { isIP } from 'node:net'
import t from 'tap'
import { type Allowed, checkSasUrl } from '../../agent/upload/destination.js'
import { allHostileUrls, honestContainer, honestUrl, hostileUrls, recklessContainers } from '../support/hostile-urls.js'

/** All that is ever said of one; nothing in these comes from the URL. */
const problems: ReadonlySet<string> = new Set([
  'expected an https URL of a container, spelled as the portal shows it',
  'its host and container are not in upload.allowedContainers of this device',
  'expected exactly one signature (sig)',
  'expected a signature without an operation',
  'its host has an address that this device does not upload to',
])

const problemOf = (text: string, allowed: Allowed): string | null => {
  const checked = checkSasUrl(text, allowed)
  return 'problem' in checked ? checked.problem : null
}

const honest: Allowed = { containers: [honestContainer], privateHosts: [] }

t.test(`${allHostileUrls.length} hostile URLs are refused where one container is allowed`, async t => {
  t.ok(allHostileUrls.length >= 300, `${allHostileUrls.length} of them`)
  t.equal(problemOf(honestUrl, honest), null, 'the honest one is accepted')
  for (const [trick, urls] of Object.entries(hostileUrls)) {
    const taken = urls.filter(url => !problems.has(problemOf(url, honest) ?? 'accepted'))
    t.strictSame(taken, [], `${trick}: ${urls.length}`)
  }
})

t.test('so are they where the configuration allows places that nobody may allow', async t => {
  const never = ['169.254.169.254', '168.63.129.16', '0.0.0.0', 'fe80::1', '::ffff:a9fe:a9fe', 'fd00:ec2::253']
  const reckless: Allowed = { containers: [honestContainer, ...recklessContainers], privateHosts: never }
  t.strictSame(
    allHostileUrls.filter(url => !problems.has(problemOf(url, reckless) ?? 'accepted')),
    [],
  )
})

t.test('and where it allows exactly what a parser would make of one, if that is an address inside', async t => {
  let inside = 0
  for (const url of allHostileUrls) {
    if (!URL.canParse(url)) continue
    const { origin, pathname, hostname, protocol } = new URL(url)
    const isAddress = isIP(hostname.replace(/^\[|\]$/g, '')) !== 0 || /(^|\.)localhost\.?$/.test(hostname)
    if (protocol !== 'https:' || !isAddress) continue
    inside += 1
    const problem = problemOf(url, { containers: [`${origin}${pathname}`], privateHosts: [] })
    t.ok(problem !== null && problems.has(problem), `${JSON.stringify(url)} as ${origin}`)
  }
  t.ok(inside > 80, `${inside} of them`)
})
