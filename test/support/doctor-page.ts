/** Doctor's checks as a page for people; run by itself with `HUBREC_WRITE=1`, it writes the page. */
import { writeFileSync } from 'node:fs'
import { type Check, families } from '../../agent/doctor/check.js'
import { checks } from '../../agent/doctor/checks.js'

const header = `# What doctor asks

Made from the checks (\`agent/doctor/checks/\`). \`hubrec doctor\` asks all of them, those at once that do not wait for one another, within
30 s; a check whose need is not met is skipped and says for what it waits. It uses the credential that is configured and no other,
and signs in with it only while no recorder runs, no other program of this host is connected to the hub, and the ring here is of no other
device (\`--may-disconnect\` allows the last two). \`--protocol P\` asks as if P were configured, \`--watch\` asks again every 5 s and prints what
has changed. It exits with 1 where a check has failed. \`--json\` has the shape of \`iotedge check\`: \`checks.<id>.result.result\` is \`ok\`,
\`warning\`, \`failed\` or \`skipped\`, \`details\` begins with what was found, \`additional_info\` has the values; with \`--watch\` each line is
such a report, of the checks that have changed. The direct method \`RunDoctor\` answers the same from inside the
recorder, and each bundle has it as \`doctor.json\`.
`

const titles: Readonly<Record<(typeof families)[number], string>> = {
  configuration: 'Configuration and credential',
  clock: 'Clock',
  network: 'Network',
  names: 'Names',
  hub: 'Hub',
  host: 'Host',
  recorder: 'Recorder',
}

export const doctorPage = (all: readonly Check[]): string =>
  [
    header,
    ...families.flatMap(family => [
      `## ${titles[family]}\n`,
      ...all
        .filter(check => check.family === family)
        .map(({ id, question, why, remedies, needs }) =>
          [
            `### ${id}\n`,
            `${question} ${why}${needs.length > 0 ? ` It waits for ${needs.map(need => `\`${need}\``).join(', ')}.` : ''}\n`,
            ...remedies.map(remedy => `- ${remedy}`),
            '',
          ].join('\n'),
        ),
    ]),
  ].join('\n')

if (process.env.HUBREC_WRITE === '1') writeFileSync('docs/doctor.md', doctorPage(checks))
