import type { z } from 'zod'
import type { alertMapSchema } from './alert-map.ts'

type WrittenMap = z.input<typeof alertMapSchema>

/**
 * What four alerting systems send. Splunk's message is fixed; of the others a part or all is a
 * template, and README says which. Values of the field names and levels are the vendors':
 * Splunk https://docs.splunk.com/Documentation/Splunk/latest/Alert/Webhooks ·
 * Sentinel https://learn.microsoft.com/azure/sentinel/automation/playbook-triggers-actions ·
 * Elastic https://www.elastic.co/guide/en/kibana/current/rule-action-variables.html ·
 * Datadog https://docs.datadoghq.com/integrations/webhooks/
 */
export const ALERT_PRESETS = {
  /** Only the first row of the search comes along: fields of the search name whom it is about. */
  splunk: {
    subject: { agent: 'result.mayfly_agent', task: 'result.mayfly_task' },
    level: 'result.mayfly_level',
    reason: 'search_name',
    id: 'sid',
  },
  /** The incident as its trigger gives it, and beside it whom the playbook says it is about. */
  sentinel: {
    subject: { agent: 'agent', task: 'task' },
    level: 'object.properties.severity',
    levels: { High: 'HIGH', Medium: 'MEDIUM', Low: 'LOW', Informational: 'LOW' },
    reason: 'object.properties.title',
    id: 'object.name',
  },
  elastic: {
    subject: { agent: 'agent', task: 'task' },
    level: 'severity',
    levels: { critical: 'HIGH', high: 'HIGH', medium: 'MEDIUM', low: 'LOW' },
    reason: 'rule.name',
    id: 'alert.id',
  },
  /** A recovery is no trouble; it takes nothing back either. */
  datadog: {
    subject: { agent: 'tags.mayfly_agent', task: 'tags.mayfly_task' },
    level: 'alert_priority',
    levels: { P1: 'HIGH', P2: 'HIGH', P3: 'MEDIUM', P4: 'LOW', P5: 'LOW' },
    reason: 'title',
    id: 'id',
    when: { at: 'alert_transition', is: ['Triggered', 'Re-Triggered', 'Renotify'] },
  },
} as const satisfies Record<string, DeepReadonly<WrittenMap>>

export type AlertPreset = keyof typeof ALERT_PRESETS

// Object.keys forgets the names of the keys.
export const PRESET_NAMES = Object.keys(ALERT_PRESETS) as [AlertPreset, ...AlertPreset[]]

type DeepReadonly<T> = { readonly [K in keyof T]: DeepReadonly<T[K]> }
