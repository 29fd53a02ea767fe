import { expect, it, onTestFinished } from 'vitest'
import type { TaskWire } from '../../src/model/wire.ts'
import { brokerDouble, type Seen } from './broker-double.ts'
import { mayfly } from './run-mayfly.ts'

const task = (id: string, parent?: string): Partial<TaskWire> => ({
  id,
  agent: `agent-${id}`,
  state: 'open',
  deadline: '2027-01-15T12:10:00.000Z',
  purpose: 'x',
  ...(parent === undefined ? {} : { parent }),
})

it('draws a task with everything below it, over all pages, and says where there is none', async () => {
  const newestFirst = [task('e', 'c'), task('d', 'a'), task('c', 'b'), task('b', 'a'), task('a')]
  const broker = await brokerDouble({
    'GET /v1/tasks/a': task('a'),
    'GET /v1/tasks': ({ url }: Seen) => {
      const rest = url.includes('cursor=more')
      const body = rest
        ? { items: newestFirst.slice(2), next_cursor: null }
        : { items: newestFirst.slice(0, 2), next_cursor: 'more' }
      return { body }
    },
  })
  onTestFinished(() => broker.close())
  const env = { MAYFLY_URL: broker.url }
  const { code, stdout } = await mayfly(['tasks', 'tree', 'a'], env)
  expect(code).toBe(0)
  expect(stdout.split('\n').map((line) => line.split('  agent-')[0]?.trimEnd())).toEqual([
    expect.stringMatching(/^TASK/),
    'a',
    '├ b',
    '│ └ c',
    '│   └ e',
    '└ d',
    '',
  ])
  expect(broker.seen.map(({ url }) => url)).toContain('/v1/tasks?tree=a&limit=500')
  const json = JSON.parse((await mayfly(['tasks', 'tree', 'a', '--json'], env)).stdout)
  expect(json).toEqual({ items: newestFirst, next_cursor: null })
  const absent = await mayfly(['tasks', 'tree', 'zz'], env)
  expect([absent.code, absent.stdout]).toEqual([1, ''])
})
