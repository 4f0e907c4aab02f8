/** Tokens of places where code, packages and images are kept, built and watched. */
import { alphanumeric, base64, base64url, digit, dot, equals, lower, word } from '../characters.js'
import type { Kind } from '../kind.js'
import { prefixed } from '../shaped.js'

export const platforms: readonly Kind[] = [
  prefixed('github-token', ['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_'], { of: word, min: 30 }),
  prefixed('github-token', ['github_pat_'], { of: word, min: 22 }),
  prefixed(
    'gitlab-token',
    ['glpat-', 'gldt-', 'glrt-', 'glcbt-', 'glptt-', 'glft-', 'glsoat-', 'glimt-', 'glagent-', 'gloas-', 'GR1348941'],
    { of: base64url | dot, min: 16 },
  ),
  prefixed('bitbucket-token', ['ATBB'], { of: base64url | equals, min: 24, wholeWord: true }),
  prefixed('atlassian-token', ['ATATT3', 'ATCTT3', 'ATSTT3'], { of: base64url | equals, min: 40 }),
  prefixed('npm-token', ['npm_'], { of: alphanumeric, min: 30 }),
  prefixed('pypi-token', ['pypi-AgE', 'pypi-AgN'], { of: base64url, min: 40 }),
  prefixed('rubygems-token', ['rubygems_'], { of: alphanumeric, min: 30 }),
  prefixed('nuget-key', ['oy2'], { of: digit | lower, min: 43, wholeWord: true }),
  prefixed('crates-token', ['cio'], { of: alphanumeric, min: 32, wholeWord: true }),
  prefixed('docker-token', ['dckr_pat_', 'dckr_oat_'], { of: base64url, min: 20 }),
  prefixed('jfrog-key', ['AKCp', 'cmVmdGtu'], { of: alphanumeric, min: 50, wholeWord: true }),
  prefixed('sonar-token', ['sqp_', 'squ_', 'sqa_'], { of: alphanumeric, min: 32, wholeWord: true }),
  prefixed('sentry-token', ['sntrys_', 'sntryu_'], { of: word | base64 | equals, min: 32 }),
  prefixed('grafana-token', ['glc_', 'glsa_'], { of: word | base64 | equals, min: 32, wholeWord: true }),
  prefixed('newrelic-key', ['NRAK-', 'NRJS-', 'NRAA-', 'NRII-'], { of: base64url, min: 18 }),
  prefixed('buildkite-token', ['bkua_', 'bkct_'], { of: alphanumeric, min: 32, wholeWord: true }),
  prefixed('circleci-token', ['CCIPAT_', 'CCIPRJ_'], { of: word, min: 32 }),
  prefixed('postman-key', ['PMAK-'], { of: base64url, min: 40 }),
  prefixed('linear-key', ['lin_api_', 'lin_oauth_'], { of: alphanumeric, min: 32 }),
  prefixed('notion-token', ['ntn_'], { of: alphanumeric, min: 40, wholeWord: true }),
  prefixed('figma-token', ['figd_', 'figo_'], { of: base64url, min: 32, wholeWord: true }),
  prefixed('readme-key', ['rdme_'], { of: alphanumeric, min: 40, wholeWord: true }),
]
