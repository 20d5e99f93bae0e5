/** The native way of the `ipmi` driver keeps the contract. */
import { ipmi } from '../../src/fence/drivers/ipmi.ts'
import { contract } from './contract.ts'
import { noBmc } from './ipmi-sim.ts'
import { ipmiStand } from './ipmi-stand.ts'

contract(ipmi, () => ipmiStand('native'), { skip: noBmc })
