/** What doctor found, for people and for scripts. */
import { versions } from '../versions.js'
import type { Answered } from './run.js'

const marks = { ok: 'ok', warning: 'WARNING', failed: 'FAILED', skipped: 'skipped' } as const

/** One line, and of what is bad why it matters and what to try. */
export function linesOf({ check, answer }: Answered): string[] {
  const { result, found, remedies = check.remedies } = answer
  const line = `${marks[result].padEnd(8)} ${check.id.padEnd(18)} ${found}`
  if (result === 'ok' || result === 'skipped') return [line]
  return [line, `${indent}why:  ${check.why}`, ...remedies.map(remedy => `${indent}try:  ${remedy}`)]
}

const indent = ' '.repeat(9)

export function summaryOf(all: readonly Answered[]): string {
  const count = (wanted: string): number => all.filter(({ answer }) => answer.result === wanted).length
  const [failed, warnings, skipped] = [count('failed'), count('warning'), count('skipped')]
  return `${count('ok')} ok, ${warnings} ${warnings === 1 ? 'warning' : 'warnings'}, ${failed} failed, ${skipped} skipped`
}

/** As `iotedge check --output json` has it. */
export type Report = Readonly<{
  additional_info: Readonly<Record<string, unknown>>
  checks: Readonly<
    Record<
      string,
      Readonly<{
        result: Readonly<{ result: string; details?: readonly string[] }>
        additional_info: Readonly<Record<string, unknown>>
      }>
    >
  >
}>

/** @param at RFC 3339 */
export function reportOf(all: readonly Answered[], at = new Date().toISOString()): Report {
  const { hubrec, node, os, sdk } = versions()
  return {
    additional_info: { hubrec, node, os, sdk, at },
    checks: Object.fromEntries(
      all.map(({ check, answer, tookMs }) => {
        const { result, found, info, remedies = check.remedies } = answer
        const isBad = result === 'warning' || result === 'failed'
        const details = [found, ...(isBad ? [check.why, ...remedies] : [])]
        return [
          check.id,
          { result: { result, details }, additional_info: { ...info, question: check.question, tookMs } },
        ]
      }),
    ),
  }
}
