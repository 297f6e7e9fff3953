// Where the services' programs are; Debian's packages of those that are missing are installed.
import { execFileSync } from 'node:child_process'
import { accessSync, chmodSync, constants, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** The path of a program, whose Debian package is installed when it is missing. */
export function programOf(name, debianPackage) {
  const path = find(name)
  if (path) return path
  install(debianPackage)
  return find(name) ?? fail(`${name} is not in ${debianPackage}`)
}

function find(name) {
  const versions = '/usr/lib/postgresql'
  const postgres = existsSync(versions) ? readdirSync(versions).map((one) => join(versions, one, 'bin')) : []
  return [...postgres, ...process.env.PATH.split(':'), '/usr/sbin', '/usr/bin']
    .map((folder) => join(folder, name))
    .find(isExecutable)
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

function install(debianPackage) {
  if (process.getuid() !== 0) fail(`run: sudo apt-get install --no-install-recommends ${debianPackage}`)
  // With it Debian's packages do not start their services.
  const policy = '/usr/sbin/policy-rc.d'
  const isOurs = !existsSync(policy)
  if (isOurs) writeFileSync(policy, '#!/bin/sh\nexit 101\n')
  if (isOurs) chmodSync(policy, 0o755)
  const apt = (...args) =>
    execFileSync('apt-get', args, {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    })
  try {
    console.error(`installing ${debianPackage}`)
    apt('update', '-qq')
    apt('install', '-y', '-qq', '--no-install-recommends', debianPackage)
  } finally {
    if (isOurs) rmSync(policy)
  }
}

function fail(message) {
  throw new Error(message)
}
