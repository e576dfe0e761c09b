// All cases, in the order in which they are played.

import { cases as applies } from '../cases/apply.ts'
import { cases as bodies } from '../cases/bodies.ts'
import { cases as builtin } from '../cases/builtin.ts'
import { cases as creates } from '../cases/create.ts'
import { cases as definitions } from '../cases/definitions.ts'
import { cases as lists } from '../cases/list.ts'
import { cases as updates } from '../cases/update.ts'
import type { Case } from './steps.ts'

export const cases: Case[] = [...creates, ...bodies, ...updates, ...applies, ...lists, ...builtin, ...definitions]
