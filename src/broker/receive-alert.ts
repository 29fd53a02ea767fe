import { createHash, timingSafeEqual } from 'node:crypto'
import { BlockList, isIPv6 } from 'node:net'
import type { SignalSource } from '../config.ts'
import { MayflyError } from '../errors.ts'
import { isId } from '../ids.ts'
import { type AlertMap, type KnownNames, readAlert } from '../signals/alert-map.ts'
import type { Report } from '../signals/report.ts'
import type { Broker, World } from './broker.ts'
import { type KeptReport, keepReport } from './keep-report.ts'

/**
 * find source → secret path → network → read → keep with its effect
 *
 * From a sender that cannot sign. Unknown source, wrong secret and foreign network answer alike.
 */
export async function receiveAlert(
  broker: Broker,
  sourceName: string,
  delivery: {
    readonly secret: string
    /** Undefined: nobody can say where it came from. */
    readonly address: string | undefined
    readonly rawBody: Uint8Array
  },
): Promise<KeptReport> {
  const world = broker.world()
  const source = world.config.signals.sources.find(({ name }) => name === sourceName)
  if (source?.type !== 'webhook' || source.path_secret === undefined || !source.map) {
    throw unauthenticated()
  }
  const wanted = world.config.secret(source.path_secret).reveal()
  if (!sameText(wanted, delivery.secret)) throw unauthenticated()
  if (!isWithin(source.networks ?? [], delivery.address)) throw unauthenticated()
  const text = decode(delivery.rawBody)
  return await keepReport(broker, source, reportOf(world, source, { text, map: source.map }))
}

/** A sender's own JSON as a report; throws `invalid_request` where it is no JSON object. */
export function reportOf(
  world: World,
  source: Extract<SignalSource, { type: 'webhook' }>,
  { text, map }: { readonly text: string; readonly map: AlertMap },
): Report {
  const unsigned = source.secret === undefined
  const known = namesOf(world, source)
  const report = readAlert({ text, map, max_action: source.max_action, known, unsigned })
  if (report !== undefined) return report
  throw new MayflyError('invalid_request', 'the signal was not understood', {
    problems: [{ path: '', message: 'must be a JSON object that says no key twice' }],
  })
}

/** UTF-8 or nothing. */
export function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new MayflyError('invalid_request', 'the body must be UTF-8')
  }
}

/**
 * Whom a source can mean. A sender learns nothing of what is beyond its scope (P11): an agent of
 * other tenants is unknown to it, and what its scope leaves out it is refused, known here or not.
 */
function namesOf({ config, agents }: World, { scope }: Pick<SignalSource, 'scope'>): KnownNames {
  const isBeyond = (names: readonly string[] | undefined, name: string) =>
    names?.includes(name) === false
  return {
    agent: (id) => {
      if (isBeyond(scope?.agents, id)) return true
      const agent = agents.get(id)
      return agent !== undefined && !isBeyond(scope?.tenants, agent.tenant)
    },
    tenant: (name) =>
      isBeyond(scope?.tenants, name) || config.agents.some(({ tenant }) => tenant === name),
    task: (id) => isId('task', id),
    workload: (name) => config.issuers.some((issuer) => name.startsWith(`${issuer.name}/`)),
  }
}

function isWithin(networks: readonly string[], address: string | undefined): boolean {
  if (address === undefined) return false
  const list = new BlockList()
  for (const network of networks) {
    const [base = '', bits] = network.split('/')
    const family = isIPv6(base) ? 'ipv6' : 'ipv4'
    if (bits === undefined) list.addAddress(base, family)
    else list.addSubnet(base, Number(bits), family)
  }
  // A listener for both families sees IPv4 as ::ffff:a.b.c.d.
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '')
  return list.check(plain, isIPv6(plain) ? 'ipv6' : 'ipv4')
}

function sameText(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(a), digest(b))
}

function unauthenticated(): MayflyError {
  return new MayflyError('unauthenticated', 'the signal was not accepted')
}
