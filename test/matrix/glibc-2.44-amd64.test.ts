// Every case of the matrix on glibc 2.44, amd64.
import { checkGlibc } from './check-glibc.js'

await checkGlibc('2.44', 'amd64')
