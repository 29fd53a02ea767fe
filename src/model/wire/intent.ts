export interface IntentItemWire {
  type: string
  identifier?: string
  actions: string[]
  locations: string[]
  constraints?: Record<string, string[]>
}
