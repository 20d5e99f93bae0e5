/**
 * Is a unit of systemd active? Asked over D-Bus, and asked again as soon as systemd says that it is
 * not any more.
 */
import { z } from 'zod'
import { isUp, openUnitBus } from '../resources/systemd/bus.ts'
import { stateOf, whyNotLoaded } from '../resources/systemd/seen.ts'
import { unitName } from '../resources/systemd.ts'
import { defineCheck } from './check.ts'

export const systemd = defineCheck({
  name: 'systemd',
  title: 'A unit of systemd that is active',
  options: z.strictObject({ unit: unitName }),
  memory: ({ unit }) => openUnitBus(unit),

  async ask({ unit }, { memory: bus, deadlineMs, signal }) {
    const seen = await bus.look({ untilMs: deadlineMs, signal })
    if (isUp(seen.activeState)) return { ok: true, detail: stateOf(seen) }
    return { ok: false, detail: whyNotLoaded(unit, seen) ?? `${unit} is ${stateOf(seen)}` }
  },

  watch: (bus, tell) => void bus.onDown(tell),
  close: (bus) => bus.close(),
})
