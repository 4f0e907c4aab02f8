/** Every way the agent can fail, as operators will search for it. Codes are never renamed or reused. */
export type ErrorCode =
  | 'ALREADY_RUNNING'
  | 'BUNDLE_INVALID'
  | 'CONFIG_INVALID'
  | 'CREDENTIAL_INVALID'
  | 'DAEMON_SILENT'
  | 'RING_UNREADABLE'
  | 'STOP_OVERDUE'
  | 'UPLOAD_REFUSED'
  | 'USAGE'

const users: ReadonlySet<ErrorCode> = new Set(['ALREADY_RUNNING', 'CONFIG_INVALID', 'CREDENTIAL_INVALID', 'USAGE'])

/** One class for all failures that have a name. `problems` holds one line each, with the place and what was expected. */
export class AgentError extends Error {
  override readonly name = 'AgentError'

  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly problems: readonly string[] = [],
    options: ErrorOptions = {},
  ) {
    super(`${code}: ${message}`, options)
  }

  /** True when the command line, the configuration or the credential is at fault: exit code 2. */
  get users(): boolean {
    return users.has(this.code)
  }
}
