/** Every kind of secret that is known by its shape, whoever it belongs to. */
import type { Kind } from './kind.js'
import { azure } from './kinds/azure.js'
import { clouds } from './kinds/clouds.js'
import { http } from './kinds/http.js'
import { keys } from './kinds/keys.js'
import { names } from './kinds/names.js'
import { network } from './kinds/network.js'
import { platforms } from './kinds/platforms.js'
import { services } from './kinds/services.js'

/** Where two find the same place, the first gives it its name. */
export const kinds: readonly Kind[] = [
  ...azure,
  ...clouds,
  ...platforms,
  ...services,
  ...http,
  ...keys,
  ...network,
  ...names,
]
