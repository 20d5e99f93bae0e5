/**
 * What can go wrong between us and a device: the rows of the fault matrix, and which of them each
 * kind of interface has.
 */

/** What the transport does to requests; `httpStand` brings these for every HTTP double. */
export const transportFaults = [
  'hang',
  'drop in mid-answer',
  'reset',
  'slow drip',
  '401',
  '403',
  '404',
  '409',
  '429',
  '500',
  'HTML login page',
  'truncated JSON',
  'wrong JSON',
  'redirect elsewhere',
  'impostor certificate',
  'expired certificate',
  'huge answer',
] as const

/** What the device itself does with an off that it has accepted, and whom it takes itself for. */
export const deviceFaults = ['ignored', 'late', 'comes back on', 'another identity'] as const

/**
 * The names are those of HTTP. Elsewhere they mean the same thing in other words: 401 a login that
 * is refused, 403 too few rights, 404 no such target, 409 not in this state, 429 too busy, 500 any
 * other refusal, the login page a foreign text, JSON whatever an answer is written in, and an
 * impostor somebody who does not know what only the device can know.
 */
export type Fault = (typeof transportFaults)[number] | (typeof deviceFaults)[number]

/**
 * How a driver reaches its device: HTTPS; datagrams with a login; lines over a socket; a program
 * that does everything itself.
 */
export type Interface = 'https' | 'datagrams' | 'lines' | 'program'

/**
 * What need not happen there, and why. All the rest a stand has to show; it may show more, such as
 * a login over lines.
 */
export const cannot: Readonly<Record<Interface, Partial<Record<Fault, string>>>> = {
  https: {},
  datagrams: {
    'redirect elsewhere': 'answers from other addresses are not heard',
    'expired certificate': 'there are no certificates',
  },
  lines: {
    401: 'there is no login',
    403: 'there is no login',
    404: 'there is one target',
    409: 'a refusal is a refusal: 500',
    429: 'a refusal is a refusal: 500',
    'redirect elsewhere': 'a socket leads nowhere else',
    'impostor certificate': 'there are no certificates',
    'expired certificate': 'there are no certificates',
  },
  program: {
    'redirect elsewhere': 'the program says that it has failed: 500',
    'impostor certificate': 'the program says that it has failed: 500',
    'expired certificate': 'the program says that it has failed: 500',
  },
}
