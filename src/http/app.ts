import { OpenAPIHono } from '@hono/zod-openapi'
import type { Broker } from '../broker/broker.ts'
import { accessRoutes } from './access.ts'
import { agentRoutes } from './agents.ts'
import { alertRoutes } from './alerts.ts'
import { approvalRoutes } from './approvals.ts'
import { auditRoutes } from './audit.ts'
import { guardsOf } from './authenticate.ts'
import { blockRoutes } from './blocks.ts'
import { credentialRoutes } from './credentials.ts'
import { decisionRoutes } from './decisions.ts'
import { delegationRoutes } from './delegations.ts'
import { endingRoutes } from './endings.ts'
import { entitlementRoutes } from './entitlements.ts'
import type { App, Env, Parts, Ready, Reload } from './env.ts'
import { envelope } from './envelope.ts'
import { healthRoutes } from './health.ts'
import { refuseInvalid } from './invalid.ts'
import { killRoutes } from './kills.ts'
import { leaseRoutes } from './leases.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { oauthRoutes } from './oauth.ts'
import { documentRoutes } from './openapi.ts'
import { policyRoutes } from './policies.ts'
import { answerProblem, answerUnrouted } from './problem.ts'
import { providerRoutes } from './providers.ts'
import { receiptRoutes } from './receipts.ts'
import { reconcileRoutes } from './reconcile.ts'
import { reloadRoutes } from './reload.ts'
import { requestableRoutes } from './requestables.ts'
import { restoreRoutes } from './restore.ts'
import { riskRoutes } from './risk.ts'
import { signalTestRoutes } from './signal-tests.ts'
import { signalRoutes } from './signals.ts'
import { ssfRoutes } from './ssf.ts'
import { taskRoutes } from './tasks.ts'

/** What the API needs of the process around it. */
export interface Doors {
  readonly ready: Ready
  readonly reload: Reload
  /** Absent: its own. */
  readonly metrics?: Metrics
}

/** The HTTP API of DESIGN §8 over one broker: every answer passes `envelope`, every error `problem`. */
export function createApp(broker: Broker, doors: Doors): App {
  const app = new OpenAPIHono<Env>({ defaultHook: refuseInvalid })
  const metrics = doors.metrics ?? createMetrics(broker)
  const parts: Parts = { ...doors, broker, metrics, guards: guardsOf(broker) }
  app.use('*', envelope(broker, metrics))
  app.onError(answerProblem(broker.log))

  taskRoutes(app, parts)
  requestableRoutes(app, parts)
  delegationRoutes(app, parts)
  credentialRoutes(app, parts)
  approvalRoutes(app, parts)
  leaseRoutes(app, parts)
  accessRoutes(app, parts)
  agentRoutes(app, parts)
  entitlementRoutes(app, parts)
  providerRoutes(app, parts)
  decisionRoutes(app, parts)
  policyRoutes(app, parts)
  killRoutes(app, parts)
  blockRoutes(app, parts)
  signalRoutes(app, parts)
  alertRoutes(app, parts)
  signalTestRoutes(app, parts)
  ssfRoutes(app, parts)
  riskRoutes(app, parts)
  endingRoutes(app, parts)
  reconcileRoutes(app, parts)
  auditRoutes(app, parts)
  receiptRoutes(app, parts)
  reloadRoutes(app, parts)
  restoreRoutes(app, parts)
  oauthRoutes(app, parts)
  healthRoutes(app, parts)
  documentRoutes(app, parts)
  app.notFound(answerUnrouted(app))
  return app
}
