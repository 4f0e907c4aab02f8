/**
 * Which causes of a code to look for first, for codes behind which many may stand. By how often each is what a fleet meets: keys and
 * tokens before the registry, the registry before the hub's network settings. A cause that is not named comes after those that are.
 */
export const likelyFor: Readonly<Record<string, readonly string[]>> = {
  '401002': ['wrong-key', 'sas-expired', 'x509-rejected', 'ip-filter', 'public-access-disabled'],
  '401003': [
    'wrong-key',
    'sas-expired',
    'device-disabled',
    'device-deleted',
    'clock-skew',
    'x509-rejected',
    'wrong-hub-hostname',
    'dps-reassigned',
  ],
  '403002': ['quota-exceeded'],
  '404001': ['device-deleted', 'device-disabled', 'dps-reassigned'],
  '404104': [
    'link-lost-keepalive',
    'no-network',
    'peer-reset',
    'app-crash',
    'sas-expired',
    'nat-idle-timeout',
    'keepalive-too-long',
    'hub-upgrade-or-failover',
  ],
}
