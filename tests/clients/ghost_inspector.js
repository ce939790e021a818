// The vendor's own client against the stand-in: ghost_inspector.js ADDRESS. Ends with `ok`.
const assert = require('assert')

const connect = (key) => {
  const client = require('ghost-inspector')(key)
  client.host = process.argv[2]
  return client
}

const main = async () => {
  const client = connect('planted-key')

  // It starts with immediate=1, polls until `passing` is set, and reads the tests page by page.
  const [tests, passing, screenshots] = await client.executeSuite('5f1', { pollInterval: 50, greeting: 'hello' })
  assert.deepStrictEqual([tests.length, passing, screenshots], [3, true, true])
  assert.strictEqual(tests[0].variables.greeting, 'hello')

  const [test, passed] = await client.executeTest('6a1', { pollInterval: 50 })
  assert.deepStrictEqual([test.test._id, passed], ['6a1', true])

  const [run] = await client.executeSuite('5f1', { immediate: true })
  assert.strictEqual(run.passing, null)
  const cancelled = await client.cancelSuiteResult(run._id)
  assert.strictEqual(cancelled.passing, null)
  assert.match(await client.getSuiteResultXUnit(run._id), /<testsuite /)

  const results = await client.getSuiteResults('5f1', { count: 1 })
  assert.deepStrictEqual(results.map((result) => result._id), [run._id])

  await assert.rejects(client.getSuiteResult('none'), { message: 'Suite result not found' })
  await assert.rejects(connect('another').getSuiteResult(run._id), /API key is not valid/)
  console.log('ok')
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})
