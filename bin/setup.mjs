/**
 * Makes `npm run demo` and `npm test` work on a fresh Debian machine: installs the npm packages of
 * the lock file (with them a Node.js of our own) and, as root, the Debian packages that the real
 * cluster needs, without letting their services start. Says one line for each thing it does and
 * nothing where there is nothing to do. `setup.mjs npm` leaves the machine's packages alone.
 *
 * Runs on the Node.js that Debian ships (18), before any package is there: plain ES module.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, lstatSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const home = dirname(dirname(fileURLToPath(import.meta.url)))
const isRoot = process.getuid?.() === 0
const policyFile = '/usr/sbin/policy-rc.d'
const policy =
  '#!/bin/sh\n# Put here by the setup of picket for the time of one installation.\nexit 101\n'

/** A program that shows that a package is there, and the package. */
const needed = [
  { program: 'corosync', pkg: 'corosync' },
  { program: 'ipmi_sim', pkg: 'openipmi' },
  { program: 'ipmitool', pkg: 'ipmitool' },
  { program: 'ip', pkg: 'iproute2' },
  { program: 'nft', pkg: 'nftables' },
  { program: 'ping', pkg: 'iputils-ping' },
]

const minutes = 60_000

await installNpmPackages()
if (process.argv[2] !== 'npm') await installDebianPackages()

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
  const missing = needed.filter(({ program }) => !isInstalled(program)).map(({ pkg }) => pkg)
  const names = missing.join(' ')
  if (missing.length > 0 && !existsSync('/usr/bin/apt-get')) {
    say(
      `Skipping all that needs a real cluster: install what these Debian packages hold: ${names}.`,
    )
  } else if (!isRoot) {
    const install = missing.length > 0 ? `sudo apt-get install ${names}, and ` : ''
    say(`Not root: what needs a real cluster is skipped. To mend it: ${install}run it with sudo.`)
  } else if (missing.length > 0) {
    await installWithoutServices(missing)
  }
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
    say('Could not install them (see above): what needs a real cluster is skipped.')
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

/** The services that packages have brought to this machine. */
function services() {
  const folders = ['/etc/init.d', '/lib/systemd/system', '/usr/lib/systemd/system']
  const files = folders.flatMap((folder) => (existsSync(folder) ? readdirSync(folder) : []))
  return new Set(files.filter((file) => !/@|\.(?!service$)/.test(file)).map(bareName))
}

function bareName(file) {
  return file.replace(/\.service$/, '')
}

function disable(name) {
  const quiet = { stdio: 'ignore', timeout: minutes }
  spawnSync('update-rc.d', [name, 'disable'], quiet)
  if (existsSync('/run/systemd/system')) {
    spawnSync('systemctl', ['disable', '--now', `${name}.service`], quiet)
  }
}

function isInstalled(program) {
  return ['/usr/sbin', '/usr/bin', '/sbin', '/bin', '/usr/local/sbin', '/usr/local/bin'].some(
    (folder) => existsSync(join(folder, program)),
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
