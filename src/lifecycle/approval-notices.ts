import { Webhook } from 'standardwebhooks'
import type { Broker } from '../broker/broker.ts'
import { loggable } from '../errors.ts'
import type { Approval } from '../model/approval.ts'
import type { ApprovalNotice } from '../store/store.ts'
import { backoffMs } from './backoff.ts'

/** How long a receiver may take. */
const DEADLINE_MS = 10_000
/** How many are told of at once. */
const BATCH = 10

/**
 * Tells whoever decides of each new approval, by a signed webhook (Standard Webhooks): from stored
 * state, until the receiver took it or there is nothing left to decide. Nobody waits for it.
 */
export class ApprovalNotices {
  readonly #broker: Broker
  readonly #stop = new AbortController()
  #running: Promise<void> | undefined

  constructor(broker: Broker) {
    this.#broker = broker
  }

  /** One round at a time; what comes meanwhile has the next. */
  async sweep(): Promise<void> {
    // Asked after every end of anything, mostly where nobody is to be told.
    if (!this.#broker.world().config.approvals.webhook) return
    this.#running ??= this.#round().finally(() => {
      this.#running = undefined
    })
    await this.#running
  }

  /** What is cut off here is sent again after the next start. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running?.catch(() => undefined)
  }

  async #round(): Promise<void> {
    const { store, clock } = this.#broker
    for (;;) {
      if (this.#stop.signal.aborted) return
      const due = await store.approvals.noticesDue(clock.now(), BATCH)
      await Promise.all(due.map((notice) => this.#tell(notice)))
      if (due.length < BATCH) return
    }
  }

  async #tell({ approval, attempts }: ApprovalNotice): Promise<void> {
    const { store, clock, random, log } = this.#broker
    const problem = await this.#deliver(approval).catch(loggable)
    if (this.#stop.signal.aborted) return
    const retryAt = problem && clock.now() + backoffMs('end', attempts, random)
    await store.approvals.noticed(approval.id, retryAt ?? null)
    if (problem)
      log.warn({ approval: approval.id, attempts, ...problem }, 'an approval webhook failed')
  }

  /** What was wrong with the answer; undefined: it was taken. A redirect is followed nowhere. */
  async #deliver(approval: Approval): Promise<Record<string, unknown> | undefined> {
    const { config } = this.#broker.world()
    const { webhook } = config.approvals
    if (!webhook) return undefined
    const at = new Date(this.#broker.clock.now())
    const body = JSON.stringify(message(approval, { at, publicUrl: config.server.publicUrl }))
    const headers = {
      'content-type': 'application/json',
      'webhook-id': approval.id,
      'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
      'webhook-signature': new Webhook(config.secret(webhook.secret).reveal()).sign(
        approval.id,
        at,
        body,
      ),
    }
    const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(DEADLINE_MS)])
    const init = { method: 'POST', headers, body, redirect: 'manual', signal } as const
    const answer = await fetch(webhook.url, init)
    await answer.body?.cancel()
    return answer.ok ? undefined : { status: answer.status }
  }
}

/** Enough to be seen by the right person; what it would do in detail is read where it is decided. */
function message(approval: Approval, { at, publicUrl }: { at: Date; publicUrl: string }): object {
  const { id, agent, tenant, task, workload, entitlement, provider, target, shown } = approval
  return {
    type: 'approval.requested',
    timestamp: at.toISOString(),
    data: {
      approval: id,
      url: `${publicUrl.replace(/\/+$/, '')}/v1/approvals/${id}`,
      agent,
      chain: approval.chain.map((one) => one.agent),
      tenant,
      task,
      workload,
      entitlement,
      provider,
      target,
      zone: shown.zone,
      impact: shown.impact,
      datasets: shown.datasets.slice(0, MAX_DATASETS),
      risk: shown.risk.level,
      ttl_seconds: approval.ttlSeconds,
      agents_own_words: shown.purpose,
      created_at: new Date(approval.createdAt).toISOString(),
      expires_at: new Date(approval.expiresAt).toISOString(),
    },
  }
}

/** Standard Webhooks wants payloads of less than 20 kB or so. */
const MAX_DATASETS = 50
