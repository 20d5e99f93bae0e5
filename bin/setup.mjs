/**
 * Makes `npm run demo` and `npm test` work on a fresh Debian machine: installs the npm packages of
 * the lock file (with them a Node.js of our own) and, as root, Debian packages, without letting
 * their services start. Says one line for each thing it does and nothing where there is nothing to
 * do. `setup.mjs` brings what a real cluster needs, so that the demonstration begins soon;
 * `setup.mjs test` also all that a test would skip itself without; `setup.mjs npm` leaves the
 * machine's packages alone.
 *
 * Runs on the Node.js that Debian ships (18), before any package is there: plain ES module.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, lstatSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join, resolve as resolvePath } from 'node:path'
import { fileURLToPath } from 'node:url'

const home = dirname(dirname(fileURLToPath(import.meta.url)))
const isRoot = process.getuid?.() === 0
const listsFolder = '/var/lib/apt/lists'
const policyFile = '/usr/sbin/policy-rc.d'
const policy =
  '#!/bin/sh\n# Put here by the setup of picket for the time of one installation.\nexit 101\n'

const minutes = 60_000
const purpose = process.argv[2] ?? 'demo'
const skipped =
  purpose === 'test' ? 'the tests that need them are skipped' : 'the demonstration is simulated'

await installNpmPackages()
if (purpose !== 'npm') await installDebianPackages()

async function installNpmPackages() {
  const why = npmPackagesDiffer()
  if (why === undefined) return
  // Not `npm ci`: npm 11 refuses a lock file without the packages of platforms that a registry
  // lacks.
  const args = ['install', '--no-save', '--include=dev', '--include=optional']
  const { code, output } = await run(`Installing the npm packages (${why})`, 'npm', args)
  if (code === 0) return
  console.error(tail(output))
  console.error(`setup: \`npm install\` in ${home} failed; mend what it says and start again.`)
  process.exit(1)
}

/**
 * Why `npm install` is due; undefined if it is not. Compares what is installed with the lock file,
 * not their dates, which a checkout changes.
 */
function npmPackagesDiffer() {
  const installed = packagesIn(join(home, 'node_modules', '.package-lock.json'))
  if (installed === undefined) return 'there are none'
  const locked = packagesIn(join(home, 'package-lock.json'))
  const changed = Object.entries(locked ?? {}).find(([path, { version, integrity, optional }]) => {
    const found = installed[path]
    // The packages of other platforms are optional and rightly absent.
    if (path === '' || (found === undefined && optional)) return false
    return found?.version !== version || found?.integrity !== integrity
  })
  return changed && `${changed[0].replace(/^.*node_modules\//, '')} differs from the lock file`
}

function packagesIn(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages
  } catch {
    return undefined
  }
}

async function installDebianPackages() {
  const missing = missingPackages()
  const names = missing.map((choice) => choice.at(-1)).join(' ')
  if (missing.length > 0 && !existsSync('/usr/bin/apt-get')) {
    say(`There is no apt-get, and ${skipped}: install what these Debian packages hold: ${names}.`)
  } else if (!isRoot) {
    const install = missing.length > 0 ? `sudo apt-get install ${names}, and ` : ''
    say(`Not root, so what needs root is skipped. To mend it: ${install}run it with sudo.`)
  } else if (missing.length > 0) {
    const known = await knownPackages(missing)
    if (known.length > 0) await installWithoutServices(known)
  }
}

/** What brings the programs that are not there: for each the packages to choose from. */
function missingPackages() {
  const { demo, test } = JSON.parse(readFileSync(join(home, 'src/lab/debian.json'), 'utf8'))
  const needed = Object.entries(purpose === 'test' ? { ...demo, ...test } : demo)
  const choices = needed.filter(([program]) => !isInstalled(program)).map(([, choice]) => choice)
  return [...new Set(choices)].map((choice) => choice.split(' | '))
}

/** The first package of each choice that this Debian has; one that it has not fails no other. */
async function knownPackages(choices) {
  const lists = existsSync(listsFolder) ? readdirSync(listsFolder) : []
  if (!lists.some((name) => /_Packages(\.\w+)?$/.test(name))) {
    await apt('Fetching the package lists', ['update'])
  }
  const args = ['policy', ...choices.flat()]
  const env = { ...process.env, LC_ALL: 'C' }
  const { stdout } = spawnSync('apt-cache', args, { env, encoding: 'utf8', timeout: minutes })
  const known = [...stdout.matchAll(/^(\S+):\n.*\n +Candidate: (?!\(none\))/gm)].map((at) => at[1])
  const found = choices.map((choice) => choice.find((name) => known.includes(name)))
  const unknown = choices.filter((_, index) => found[index] === undefined)
  if (unknown.length > 0) {
    const names = unknown.map((choice) => choice.at(-1)).join(', ')
    say(`This machine's package lists do not name ${names}: ${skipped}.`)
  }
  return [...new Set(found.filter((name) => name !== undefined))]
}

async function installWithoutServices(missing) {
  let stopped = false
  const stop = () => {
    stopped = true
  }
  // A package manager is not left alone half-way: it ends first, and what we put in place is taken
  // away after it.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, stop)
  const before = services()
  const ours = holdServicesBack()
  const what = `Installing the Debian packages ${missing.join(' ')}`
  let result = await apt(what, ['install', ...missing])
  if (result.code !== 0 && !stopped) {
    await apt('That failed; fetching the newest package lists', ['update'])
    if (!stopped) result = await apt(what, ['install', ...missing])
  }
  // They serve our sandboxes, not this machine: nothing of them runs here, now or at the next boot.
  for (const name of services()) if (!before.has(name)) disable(name)
  if (ours) rmSync(policyFile, { force: true })
  if (stopped) process.exit(1)
  if (result.code !== 0) {
    console.error(tail(result.output))
    say(`Could not install them (see above): ${skipped}.`)
  }
}

function apt(what, args) {
  const options = ['-y', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=120']
  return run(what, 'apt-get', ['-q', ...options, ...args], { DEBIAN_FRONTEND: 'noninteractive' })
}

/**
 * Put a policy in place that lets no service start, unless the machine has a policy of its own.
 * True if the policy is ours; so is one that a killed setup has left behind.
 */
function holdServicesBack() {
  if (lstatSync(policyFile, { throwIfNoEntry: false }) !== undefined) {
    return readFileSync(policyFile, 'utf8') === policy
  }
  writeFileSync(policyFile, policy, { mode: 0o755, flag: 'wx' })
  return true
}

/** What packages have brought to this machine that starts by itself: scripts and units. */
function services() {
  const folders = ['/etc/init.d', '/lib/systemd/system', '/usr/lib/systemd/system']
  const files = folders.flatMap((folder) => (existsSync(folder) ? readdirSync(folder) : []))
  return new Set(files.filter((file) => !/@|\.(?!(service|socket|timer|path)$)/.test(file)))
}

function disable(name) {
  const quiet = { stdio: 'ignore', timeout: minutes }
  if (!name.includes('.')) spawnSync('update-rc.d', [name, 'disable'], quiet)
  if (existsSync('/run/systemd/system')) {
    const unit = name.includes('.') ? name : `${name}.service`
    spawnSync('systemctl', ['disable', '--now', unit], quiet)
  }
}

function isInstalled(program) {
  return ['/usr/sbin', '/usr/bin', '/sbin', '/bin', '/usr/local/sbin', '/usr/local/bin'].some(
    (folder) => existsSync(resolvePath(folder, program)),
  )
}

function say(text) {
  console.log(`setup: ${text}`)
}

/** Run a program to its end, quietly; say what it is, and every few seconds that it still is. */
function run(what, program, args, extraEnv = {}) {
  const startedMs = Date.now()
  say(`${what} …`)
  const env = { ...process.env, PATH: pathWithoutOurs(), ...extraEnv }
  const child = spawn(program, args, { cwd: home, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  const keep = (bytes) => {
    output = (output + bytes).slice(-20_000)
  }
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  const ticker = setInterval(() => say(`  still at it after ${since(startedMs)}`), 5_000)
  const bound = setTimeout(() => child.kill('SIGTERM'), 15 * minutes)
  return new Promise((resolve) => {
    const end = (code) => {
      clearInterval(ticker)
      clearTimeout(bound)
      if (code === 0) say(`  done in ${since(startedMs)}`)
      resolve({ code, output })
    }
    child.on('error', (error) => {
      keep(error.message)
      end(1)
    })
    child.on('close', (code) => end(code ?? 1))
  })
}

/** Without the Node.js in `node_modules`: npm must not replace the program that it runs on. */
function pathWithoutOurs() {
  const folders = (process.env.PATH ?? '').split(delimiter)
  return folders.filter((folder) => !folder.startsWith(join(home, 'node_modules'))).join(delimiter)
}

function since(startedMs) {
  return `${((Date.now() - startedMs) / 1000).toFixed(1)} s`
}

function tail(output) {
  return output.trimEnd().split('\n').slice(-20).join('\n')
}
