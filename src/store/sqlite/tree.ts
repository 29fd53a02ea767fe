import type { SQL } from 'drizzle-orm'
import { sql } from './drizzle.ts'

/** A task and everything below it, as a subquery. Index: tasks_parent. */
export function treeOf(task: string): SQL {
  return sql`(with recursive tree(id) as (
    select ${task} union select t.id from tasks t join tree on t.parent = tree.id
  ) select id from tree)`
}
