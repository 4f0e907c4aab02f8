/** When this release was made: no clock that is right can show an earlier time. Moved with each release. */
export const releasedAtMs = Date.parse('2026-11-01T00:00:00Z')

const lifeMs = 20 * 365 * 86_400_000

/** A clock before the release, or 20 years after it, cannot be right. */
export const isPlausible = (wallMs: number): boolean => wallMs >= releasedAtMs && wallMs <= releasedAtMs + lifeMs
