// The support tables in docs/hypervisors.md: each read and written between its markers, a column for each driver under test.

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const path = join(import.meta.dirname, '../../docs/hypervisors.md')

/** `support`: the drivers that run the whole suite. `survey`: those of which each call is made once. */
export type Table = 'support' | 'survey'
type Column = Map<string, string>

async function read(table: Table): Promise<{ before: string; columns: Map<string, Column>; after: string }> {
  const [begin, end] = [`<!-- ${table} table: written by the conformance suite -->`, `<!-- end of the ${table} table -->`]
  const text = await readFile(path, 'utf8')
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`${path} has no markers ${begin} and ${end}`)
  const rows = text.slice(from + begin.length, to).trim().split('\n').filter(row => row.startsWith('|')).map(row => row.split('|').slice(1, -1).map(cell => cell.trim().replaceAll('`', '')))
  const titles = rows[0]?.slice(1) ?? []
  const columns = new Map(titles.map((title, at) => [title, new Map(rows.slice(2).map(cells => [cells[0]!, cells[at + 1] ?? '']))]))
  return { before: text.slice(0, from + begin.length), columns, after: text.slice(to) }
}

/** What the table says of one driver, by operation; empty where it says nothing. */
export async function column(title: string, table: Table = 'support'): Promise<Column> {
  return (await read(table)).columns.get(title) ?? new Map<string, string>()
}

export async function writeColumn(title: string, words: Column, table: Table = 'support'): Promise<void> {
  const { before, columns, after } = await read(table)
  columns.set(title, words)
  const operations = [...new Set([...columns.values()].flatMap(each => [...each.keys()]))].filter(operation => words.has(operation))
  const row = (cells: string[]): string => `| ${cells.join(' | ')} |`
  const rows = [row(['operation', ...columns.keys()]), row(['operation', ...columns.keys()].map(() => '---')), ...operations.map(operation => row([`\`${operation}\``, ...[...columns.values()].map(each => each.get(operation) ?? '')]))]
  await writeFile(path, `${before}\n${rows.join('\n')}\n${after}`)
}
