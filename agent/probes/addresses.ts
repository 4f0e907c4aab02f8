/** Where the hub is by now, as far as can be found out, and where it was when it answered. */
import { isIP } from 'node:net'
import { ask, type ProbeContext } from './probe.js'

/** A hub has a few; more than one of each kind tells little more. */
const eachMax = 2

export type Addresses = Readonly<{ now: readonly string[]; lastGood: readonly string[] }>

/** @returns `lastGood` only where the name leads nowhere, or to none of them */
export async function findAddresses(context: ProbeContext): Promise<Addresses> {
  const { host, heard, lastGood } = context
  if (isIP(host) !== 0) return { now: [host], lastGood: [] }
  const now = heard.addresses ?? (heard.isNameLost ? [] : await lookUp(context))
  const isElsewhere = !lastGood.some(address => now.includes(address))
  return { now: now.slice(0, eachMax), lastGood: isElsewhere ? lastGood.slice(0, eachMax) : [] }
}

async function lookUp(context: ProbeContext): Promise<readonly string[]> {
  const asked = await ask(context, signal => context.lookup(context.host, signal))
  return asked?.found ?? []
}
