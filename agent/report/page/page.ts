/** The page: reads the report that the document holds, and shows it. It asks the network for nothing. */
import { html, render } from 'lit-html'
import './page.css'
import { readModel } from './data.js'
import { EpisodeList, noFilter } from './episodes.js'
import { familiesOf } from './families.js'
import { others } from './others.js'
import { Drawn, plots } from './plots.js'
import { strip } from './strip.js'
import { advice, causes, header, lengths } from './summary.js'
import { clipped } from './words.js'

const prefix = '#episode-'

function show(page: HTMLElement): void {
  const model = readModel(document)
  document.title = `hubrec: ${clipped(model.head.device)}`
  const families = familiesOf(model.summary)
  const listPlace = document.createElement('div')
  const list = new EpisodeList(model, families, () => render(list.template(), listPlace))
  const choose = (cause: string): void => {
    list.choose({ ...noFilter, cause })
    document.getElementById('episodes-title')?.focus()
  }

  const parts = [strip(model, families), advice(model, families), causes(model, families, choose), lengths(model)]
  render(
    html`<a class="skip" href="#episodes-title">To the outages</a>${header(model)}
      <main>${parts}${listPlace}${plots(model)}${others(model)}</main>`,
    page,
  )
  render(list.template(), listPlace)

  const follow = (): void => {
    const inAddress = idIn(location.hash)
    const id = inAddress === null ? null : list.reveal(inAddress)
    if (id === null) return
    render(list.template(), listPlace)
    const line = document.getElementById(`episode-${id}`)
    line?.scrollIntoView({ block: 'start' })
    line?.querySelector('summary')?.focus({ preventScroll: true })
  }
  addEventListener('hashchange', follow)
  // A second click on the same mark changes no address.
  page.addEventListener('click', event => {
    const link = (event.target as Element).closest?.(`a[href^="${prefix}"]`)
    if (link && link.getAttribute('href') === location.hash) follow()
  })

  const drawn = new Drawn(model, page)
  drawn.draw()
  follow()
  new ResizeObserver(() => drawn.resize()).observe(page)
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => drawn.draw())
  const inPrint = (isPrinting: boolean) => () => {
    document.documentElement.classList.toggle('printing', isPrinting)
    drawn.draw(isPrinting ? printWidthPx : undefined)
  }
  addEventListener('beforeprint', inPrint(true))
  addEventListener('afterprint', inPrint(false))
}

/** Of a sheet of paper without its margins. */
const printWidthPx = 640

function idIn(hash: string): string | null {
  if (!hash.startsWith(prefix)) return null
  const id = hash.slice(prefix.length)
  try {
    return decodeURIComponent(id)
  } catch (error) {
    // Somebody has put the id into the address as it is.
    if (error instanceof URIError) return id
    throw error
  }
}

addEventListener('DOMContentLoaded', () => {
  const page = document.getElementById('page')
  if (!page) return
  page.textContent = ''
  show(page)
  document.documentElement.dataset.ready = 'true'
})
