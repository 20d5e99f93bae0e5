/** `picket simulate`: a cluster in virtual time, that of a configuration or those of the dice. */
import { defaultConfigFile } from '../config/paths.ts'
import { failureNames, failures } from '../drill/failures.ts'
import { defineCommand, standsAlone, textOf, UsageError } from './command.ts'
import { runDrill } from './drill.ts'
import { numberOf, playFile, runLives, swarms } from './lives.ts'

const listed = failureNames.map((name) => `  ${name.padEnd(14)}  ${failures[name].about}`)

export const command = defineCommand({
  name: 'simulate',
  words: ['[FAILURE…]'],
  about: `Puts the cluster of your configuration through failures in virtual time: what becomes of
its services, for how long each is down, which promise breaks, and what to change. It needs nothing
but this program: no root, no Corosync, no device; no secret is read, and nothing is touched.

Failures; all of them when none is named, each on every node or service:
${listed.join('\n')}

  picket simulate --config cluster.yaml               every failure, as a table
  picket simulate --config cluster.yaml crash         one failure, second by second
  picket simulate cut --node web-02                   on one node, of ${defaultConfigFile}
  picket simulate --config cluster.yaml --scenario drill.txt

Exit codes: 0 every service comes back by itself, 1 one stays down or waits for a person, or a
promise is broken, 2 wrong usage, configuration or scenario.

For those who work on Picket: with --seeds, or with --seed and no configuration, clusters of the
dice live through storms of faults, and every promise is judged after each event. The same seed is
always the same life. Biased swarms, for what a plain storm reaches rarely:
${swarms.join('\n')}`,
  flags: {
    config: { title: `The configuration (default ${defaultConfigFile})`, value: 'FILE' },
    node: { title: 'Only what happens to this node', value: 'NODE' },
    scenario: { title: 'Play the commands of this file (docs/simulator.md)', value: 'FILE' },
    token: { title: "Corosync's token in milliseconds (default 1000)", value: 'MS' },
    all: { title: 'One line for each case, also where they end alike' },
    json: { title: 'Print the same as JSON' },
    seed: { title: 'The first seed: other dice, other durations (default 1)', value: 'S' },
    seeds: { title: 'Lives of the dice: how many', value: 'N' },
    biased: { title: 'Lives of the dice: turn the faults of this swarm up', value: 'NAME' },
    workers: { title: 'Lives of the dice: how many threads (default: all cores)', value: 'N' },
    verbose: { title: 'Lives of the dice: show also messages and answers of devices' },
    replay: { title: 'Step through the journal of a daemon and compare', value: 'FILE' },
  },
  run: async ({ words, flags }, terminal) => {
    if (flags.replay !== undefined) {
      standsAlone(flags, 'replay')
      textOf('replay', flags.replay)
      const { replayJournal } = await import('./replay.ts')
      return replayJournal(flags.replay, terminal)
    }
    const { config, scenario, node, token, all = false, json = false, seed, ...lives } = flags
    const [odd] = Object.keys(lives)
    const own = words.length > 0 || [config, node, token].some((each) => each !== undefined)
    if (odd !== undefined && (own || all || json || scenario !== undefined)) {
      throw new UsageError(`--${odd} belongs to lives of the dice, which read no configuration.`)
    }
    if (scenario !== undefined && words.length > 0) {
      throw new UsageError('a scenario has failures of its own: leave the others out.')
    }
    if (scenario !== undefined && config === undefined) {
      standsAlone(flags, 'scenario')
      return playFile(scenario, terminal)
    }
    if (odd !== undefined || (seed !== undefined && !own && !all && !json)) {
      return runLives({ ...lives, ...(seed !== undefined && { seed }) }, terminal)
    }
    const ask = {
      ...{ file: config ?? defaultConfigFile, words, node, script: scenario, all, json },
      seed: numberOf('seed', seed) ?? 1,
      tokenMs: numberOf('token', token),
    }
    return runDrill(ask, terminal)
  },
})
