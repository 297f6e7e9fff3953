// An HTTP server whose work is done in node's thread pool: GET /SEED answers with what `digestWork` gives.
import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { digestWork } from './digest-work.mjs'

const kept = []
const server = createServer(async (request, response) => {
  try {
    const answer = await digestWork(request.url.slice(1))
    kept.push(randomBytes(1024 + (kept.length % 64) * 1024))
    if (kept.length > 500) kept.splice(0, 250)
    response.end(answer)
  } catch (error) {
    response.statusCode = 500
    response.end(String(error))
  }
})
// An idle connection that is closed while its next question is on the way would look like a lost answer.
server.keepAliveTimeout = 0
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`))
