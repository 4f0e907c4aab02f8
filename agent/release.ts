/** When this release was made: no clock that is right can show an earlier time. Moved with each release. */
export const releasedAtMs = Date.parse('2026-11-01T00:00:00Z')
