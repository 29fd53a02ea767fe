import { randomBytes } from 'node:crypto'
import { Stage } from './stage.ts'
import { playStory } from './story.ts'
import { timeline } from './timeline.ts'
import { startWorld } from './world.ts'

const startedAt = performance.now()
const world = await startWorld({ random: (n) => randomBytes(n) })
const stage = new Stage(
  world,
  timeline({ stdout: process.stdout, stderr: process.stderr, env: process.env }, startedAt),
)
const { report, failure } = await playStory(stage)
console.log(JSON.stringify(report), failure)
await world.close()
