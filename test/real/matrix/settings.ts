/** How the devices of the matrix are set, so that a row takes seconds. */
export const keepaliveSeconds = 4
export const timeoutSeconds = { dns: 3, tcp: 3, tls: 3, accept: 3 } as const
export const retry = { capSeconds: 2, refusedCapSeconds: 2, takeOverFloorSeconds: 0.5, takeOverCapSeconds: 2 } as const
