/**
 * A machine with a kernel of its own, for tests that reset it: a guest of QEMU, without a disk and
 * without a network, with Node.js, busybox and the watchdog's code in its memory. No watchdog of the
 * machine underneath is ever opened.
 */
import { execFileSync, spawn } from 'node:child_process'
import {
  copyFileSync,
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'

const home = join(import.meta.dirname, '../..')

/** Where a kernel and its modules lie: `/`, or what a package was unpacked to. */
const root = process.env.PICKET_GUEST_ROOT ?? '/'

interface Parts {
  readonly kernel: string
  readonly modules: readonly string[]
  readonly busybox: string
}

/** What a guest is made of, or why there can be none. */
export function guestParts(): Parts | string {
  const mend = '`apt install linux-image-cloud-amd64 busybox-static`, or PICKET_GUEST_ROOT'
  if (process.arch !== 'x64') return 'the guest is one for x86-64'
  const busybox = [join(root, 'bin/busybox'), '/bin/busybox'].find((path) => existsSync(path))
  const kernel = globSync(join(root, 'boot/vmlinuz-*')).sort().at(-1)
  if (busybox === undefined || kernel === undefined) return `no kernel or busybox here: ${mend}`
  const version = basename(kernel).slice('vmlinuz-'.length)
  const folder = join(root, 'lib/modules', version, 'kernel/drivers/watchdog')
  const modules = ['watchdog.ko', 'softdog.ko'].map((name) => join(folder, name))
  const there = modules.every((path) => existsSync(path))
  return there ? { kernel, modules, busybox } : `no module softdog for ${version}: ${mend}`
}

const init = `#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
for each in watchdog softdog; do /bin/busybox insmod /modules/$each.ko; done
/bin/node /app/test/real/watchdog-program.ts &
while :; do read up rest </proc/uptime; echo "ALIVE $up"; /bin/busybox sleep 1; done
`

/** Boots it and gives each line of its console; ends with the guest, at the latest at the bound. */
export async function runGuest(parts: Parts, boundMs: number): Promise<readonly string[]> {
  const dir = mkdtempSync(join(tmpdir(), 'picket-guest-'))
  try {
    const initrd = join(dir, 'initrd.gz')
    writeFileSync(initrd, gzipSync(archive(tree(dir, parts)), { level: 1 }))
    const machine = [
      '-M',
      'pc,accel=kvm:tcg',
      '-cpu',
      'qemu64',
      '-m',
      '900',
      '-smp',
      '2',
      '-nodefaults',
    ]
    const boot = ['-kernel', parts.kernel, '-initrd', initrd]
    const words = ['-append', 'console=ttyS0 panic=-1 quiet']
    const rest = ['-display', 'none', '-no-reboot', '-serial', 'stdio']
    const guest = spawn('qemu-system-x86_64', [...machine, ...boot, ...words, ...rest], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const timer = setTimeout(() => guest.kill('SIGKILL'), boundMs)
    let text = ''
    for await (const chunk of guest.stdout) {
      text += chunk
      if (text.includes('FAILED ')) guest.kill('SIGKILL')
    }
    clearTimeout(timer)
    return text.split(/\r?\n/)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

/** All that is in the guest's memory. */
function tree(dir: string, { modules, busybox }: Parts): string {
  const top = join(dir, 'tree')
  const put = (from: string, to: string) => {
    mkdirSync(dirname(join(top, to)), { recursive: true })
    copyFileSync(from, join(top, to))
  }
  put(busybox, 'bin/busybox')
  put(process.execPath, 'bin/node')
  for (const module of modules) put(module, join('modules', basename(module)))
  const koffi = `@koromix/koffi-linux-x64`
  for (const name of ['koffi', koffi]) {
    cpSync(join(home, 'node_modules', name), join(top, 'app/node_modules', name), {
      recursive: true,
      dereference: true,
    })
  }
  const native = globSync(join(home, 'node_modules', koffi, '**/*.node'))
  for (const library of librariesOf([process.execPath, ...native])) put(library, library)
  put(join(home, 'package.json'), 'app/package.json')
  for (const path of globSync('src/watchdog/*.ts', { cwd: home }))
    put(join(home, path), `app/${path}`)
  put(join(home, 'test/real/watchdog-program.ts'), 'app/test/real/watchdog-program.ts')
  for (const folder of ['proc', 'sys', 'dev', 'tmp']) mkdirSync(join(top, folder))
  writeFileSync(join(top, 'init'), init, { mode: 0o755 })
  symlinkSync('busybox', join(top, 'bin/sh'))
  return top
}

function librariesOf(programs: readonly string[]): ReadonlySet<string> {
  const text = programs.map((program) => execFileSync('ldd', [program], { encoding: 'utf8' }))
  return new Set(
    text
      .join('')
      .match(/\/\S+/g)
      ?.filter((path) => !programs.includes(path.replace(/:$/, ''))),
  )
}

/** @source Linux, Documentation/driver-api/early-userspace/buffer-format.rst: cpio, `newc`. */
function archive(top: string): Buffer {
  const parts: Buffer[] = []
  let inode = 1
  const pad = (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)])
  const entry = (name: string, mode: number, data: Buffer) => {
    const fields = [inode++, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length + 1, 0]
    const head = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`
    parts.push(pad(Buffer.from(`${head}${name}\0`)), pad(data))
  }
  const walk = (path: string) => {
    for (const name of readdirSync(join(top, path)).sort()) {
      const own = path === '' ? name : `${path}/${name}`
      const { mode } = statSync(join(top, own))
      const isFolder = (mode & 0o170000) === 0o040000
      entry(own, mode, isFolder ? Buffer.alloc(0) : readFileSync(join(top, own)))
      if (isFolder) walk(own)
    }
  }
  walk('')
  entry('TRAILER!!!', 0, Buffer.alloc(0))
  return Buffer.concat(parts)
}
