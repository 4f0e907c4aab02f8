/** Keys and tokens of other clouds, and of what is used to run them. */
import { alphanumeric, base64, base64url, digit, dot, equals, letter, lower, upper, word } from '../characters.js'
import type { Kind } from '../kind.js'
import { named } from '../named.js'
import { between, prefixed } from '../shaped.js'

const awsIds = ['AKIA', 'ASIA', 'ABIA', 'ACCA', 'AGPA', 'AIDA', 'AROA', 'AIPA', 'ANPA', 'ANVA', 'APKA']

export const clouds: readonly Kind[] = [
  prefixed('aws-access-key-id', awsIds, { of: upper | digit, min: 16, wholeWord: true, capitals: true }),
  named('aws-secret-access-key', ['secret access key', 'aws secret key', 'aws secret'], { strictness: 'opaque' }),
  named('aws-session-token', ['aws session token', 'aws security token', 'x amz security token'], {
    strictness: 'opaque',
  }),
  between('aws-signature', ['x-amz-signature='], digit | letter, 32),
  between('aws-signature', ['x-amz-security-token='], base64url | base64 | equals, 32),
  prefixed('aws-bedrock-key', ['ABSK'], { of: base64 | equals, min: 80, wholeWord: true }),
  prefixed('google-api-key', ['AIza'], { of: base64url, min: 30 }),
  prefixed('google-oauth-token', ['ya29.'], { of: base64url | dot, min: 20 }),
  prefixed('google-refresh-token', ['1//0'], { of: base64url, min: 30, wholeWord: true }),
  prefixed('google-client-secret', ['GOCSPX-'], { of: base64url, min: 20 }),
  between('google-signature', ['x-goog-signature='], digit | letter, 32),
  prefixed('alibaba-access-key-id', ['LTAI'], { of: alphanumeric, min: 12, wholeWord: true }),
  prefixed('tencent-secret-id', ['AKID'], { of: alphanumeric, min: 32, wholeWord: true }),
  prefixed('digitalocean-token', ['dop_v1_', 'doo_v1_', 'dor_v1_'], { of: digit | lower, min: 32 }),
  prefixed('heroku-token', ['HRKU-'], { of: base64url, min: 30 }),
  prefixed('fly-token', ['fo1_', 'fm1_', 'fm2_', 'fm1r_'], {
    of: base64url | base64 | equals,
    min: 30,
    wholeWord: true,
  }),
  prefixed('vercel-token', ['vcp_', 'vci_', 'vca_', 'vcr_', 'vck_'], { of: alphanumeric, min: 24, wholeWord: true }),
  prefixed('netlify-token', ['nfp_', 'nfc_', 'nfo_', 'nfu_'], { of: alphanumeric, min: 24, wholeWord: true }),
  prefixed('supabase-key', ['sbp_', 'sb_secret_'], { of: word, min: 20, wholeWord: true }),
  prefixed('planetscale-password', ['pscale_pw_', 'pscale_tkn_', 'pscale_oauth_'], { of: base64url | dot, min: 24 }),
  prefixed('vault-token', ['hvs.', 'hvb.', 'hvr.'], { of: base64url, min: 24, wholeWord: true }),
  between('terraform-token', ['.atlasv1.'], base64url, 40),
  prefixed('doppler-token', ['dp.pt.', 'dp.st.', 'dp.ct.', 'dp.sa.', 'dp.scim.', 'dp.audit.'], {
    of: alphanumeric | dot | word,
    min: 30,
    wholeWord: true,
  }),
  prefixed('pulumi-token', ['pul-'], { of: digit | lower, min: 36, wholeWord: true }),
  prefixed('cloudflare-origin-key', ['v1.0-'], { of: base64url, min: 60, wholeWord: true }),
  prefixed('tailscale-key', ['tskey-'], { of: base64url, min: 16 }),
  prefixed('age-key', ['AGE-SECRET-KEY-1'], { of: upper | digit, min: 40, capitals: true }),
]
