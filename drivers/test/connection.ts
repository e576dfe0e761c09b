// The Driver interface over a host in memory: each kind of object has its file in calls/, and what there is not says so.

import type { Connection, OpenOptions } from '../driver.ts'
import { Desk } from './calls/desk.ts'
import { lackingCalls } from './calls/lacking.ts'
import { presentCalls } from './calls/present.ts'
import type { World } from './world.ts'

export const testConnection = (world: World, name: string, options: OpenOptions): Connection => {
  const desk = new Desk(world, options)
  return {
    name,
    closed: desk.closed,
    onEvent: handler => desk.onEvent(handler),
    eventsRegister: () => desk.eventsRegister(),
    close: () => desk.close(),
    ...presentCalls(desk), ...lackingCalls(desk),
  }
}
