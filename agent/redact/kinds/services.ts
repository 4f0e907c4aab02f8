/** Tokens of services that send messages, take payments or answer questions. */
import { alphanumeric, atSign, base64, base64url, digit, dot, isOf, lower, word } from '../characters.js'
import type { Kind } from '../kind.js'
import { between, prefixed } from '../shaped.js'

/** `123456789:AA...`: the number of the bot stands before it. */
const telegram: Kind = {
  kind: 'telegram-token',
  anchors: [':aa'],
  find(page, at, end) {
    const { text } = page
    let start = at
    while (at - start < 12 && isOf(text, start - 1, digit)) start--
    const stop = page.runEnd(at + 1, base64url)
    const isOne = at - start >= 6 && text.slice(at, end) === ':AA' && stop - at >= 33 && stop - at <= 42
    return isOne ? { start, end: stop } : null
  },
}

const mailchimp: Kind = {
  kind: 'mailchimp-key',
  anchors: ['-us'],
  find(page, at, end) {
    const { text } = page
    const start = at - 32
    const isOne =
      start >= 0 &&
      isOf(text, end, digit) &&
      !isOf(text, start - 1, alphanumeric) &&
      page.runEnd(start, digit | lower) === at
    return isOne ? { start, end: page.runEnd(end, digit) } : null
  },
}

export const services: readonly Kind[] = [
  prefixed(
    'slack-token',
    ['xoxb-', 'xoxp-', 'xoxa-', 'xoxr-', 'xoxs-', 'xoxo-', 'xoxc-', 'xoxd-', 'xoxe-', 'xoxe.', 'xapp-'],
    {
      of: base64url | dot,
      min: 16,
    },
  ),
  between(
    'slack-webhook',
    ['hooks.slack.com/services/', 'hooks.slack.com/workflows/', 'hooks.slack.com/triggers/'],
    base64url | base64,
    20,
  ),
  between(
    'teams-webhook',
    ['webhook.office.com/webhookb2/', 'outlook.office.com/webhook/'],
    base64url | base64 | atSign,
    36,
  ),
  between('discord-webhook', ['discord.com/api/webhooks/', 'discordapp.com/api/webhooks/'], base64url | base64, 40),
  telegram,
  prefixed('twilio-key', ['SK'], { of: digit | lower, min: 32, wholeWord: true }),
  prefixed('sendgrid-key', ['SG.'], { of: base64url | dot, min: 40, wholeWord: true }),
  prefixed('mailgun-key', ['key-'], { of: digit | lower, min: 32, wholeWord: true }),
  prefixed('brevo-key', ['xkeysib-', 'xsmtpsib-'], { of: base64url, min: 40 }),
  mailchimp,
  prefixed('stripe-key', ['sk_live_', 'sk_test_', 'rk_live_', 'rk_test_', 'whsec_'], { of: word | base64, min: 16 }),
  prefixed('square-token', ['sq0atp-', 'sq0csp-', 'sq0idp-'], { of: base64url, min: 20 }),
  prefixed('square-token', ['EAAA'], { of: base64url, min: 56, wholeWord: true }),
  prefixed('shopify-token', ['shpat_', 'shpss_', 'shpca_', 'shppa_', 'shptka_'], { of: alphanumeric, min: 30 }),
  prefixed('anthropic-key', ['sk-ant-'], { of: base64url, min: 20 }),
  prefixed('openai-key', ['sk-'], { of: base64url, min: 32, wholeWord: true }),
  prefixed('openrouter-key', ['sk-or-v1-'], { of: base64url, min: 32 }),
  prefixed('huggingface-token', ['hf_', 'api_org_'], { of: alphanumeric, min: 30, wholeWord: true }),
  prefixed('replicate-token', ['r8_'], { of: alphanumeric, min: 32, wholeWord: true }),
  prefixed('groq-key', ['gsk_'], { of: alphanumeric, min: 40, wholeWord: true }),
  prefixed('mapbox-token', ['sk.eyJ'], { of: base64url | dot, min: 40, wholeWord: true }),
  prefixed('airtable-token', ['pat'], { of: alphanumeric | dot, min: 60, wholeWord: true }),
]
