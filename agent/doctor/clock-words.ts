/** Why clocks matter and what mends them, for every check about them. */
export const clockWhy =
  'Tokens and certificates are judged by the time: a wrong clock looks like a wrong key or a bad certificate.'
export const clockRemedies = [
  'Run `timedatectl` and check that the clock is synchronised; if not, `timedatectl set-ntp true`, and open UDP port 123.',
  'If it is wrong after every power cut, replace the battery of the clock.',
]
