// Every case of the matrix on glibc 2.41, i386.
import { checkGlibc } from './check-glibc.js'

await checkGlibc('2.41', 'i386')
