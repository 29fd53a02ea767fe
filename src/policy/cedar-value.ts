import type { CedarValueJson, TypeAndId } from '@cedar-policy/cedar-wasm/nodejs'
import type { Risk } from '../model/risk.ts'

export function riskRecord(risk: Risk): CedarValueJson {
  return { level: risk.level, reasons: [...risk.reasons] }
}

export function nowRecord(now: number): CedarValueJson {
  const date = new Date(now)
  return { hour: date.getUTCHours(), weekday: date.getUTCDay() === 0 ? 7 : date.getUTCDay() }
}

/** Cedar's `Long` is whole; rounding up never makes a lifetime or an age look smaller. */
export function long(value: number): number {
  return Math.ceil(value)
}

export function id(type: string, name: string): TypeAndId {
  return { type: `Mayfly::${type}`, id: name }
}

export function ref(type: string, name: string): CedarValueJson {
  return { __entity: id(type, name) }
}

export function actionId(name: string): TypeAndId {
  return id('Action', name)
}
