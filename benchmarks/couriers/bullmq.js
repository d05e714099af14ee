// BullMQ on Node: `node bullmq.js work`, or `node bullmq.js one_by_one|bulk|steady JOBS [PER_SECOND]`.
const fs = require('node:fs');
const { performance } = require('node:perf_hooks');
const { Queue, Worker } = require(process.env.BENCH_BULLMQ);

const [kind, jobs, rate] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const url = new URL(process.env.BENCH_URL);
const connection = { host: url.hostname, port: Number(url.port), maxRetriesPerRequest: null };
const options = { removeOnComplete: true };
// CLOCK_MONOTONIC in seconds, the clock that the other couriers' stamps tell.
const monotonic = () => Number(process.hrtime.bigint()) / 1e9;

async function work() {
  const run = async (job) => {
    if (job.name === 'stamp') fs.appendFileSync(process.env.BENCH_LATENCIES, `${monotonic() - job.data.sentAt}\n`);
  };
  new Worker('bench', run, { connection, concurrency: 4 });
}

async function publish() {
  const queue = new Queue('bench', { connection });
  await queue.add('nothing', { number: 0 }, options);
  const [wall, cpu] = [performance.now(), process.cpuUsage()];
  if (kind === 'one_by_one') {
    for (let number = 0; number < jobs; number++) await queue.add('nothing', { number }, options);
  } else if (kind === 'bulk') {
    for (let first = 0; first < jobs; first += 1000) {
      const numbers = Array.from({ length: Math.min(1000, jobs - first) }, (_, i) => first + i);
      await queue.addBulk(numbers.map((number) => ({ name: 'nothing', data: { number }, opts: options })));
    }
  } else {
    const began = monotonic();
    for (let number = 0; number < jobs; number++) {
      const wait = began + number / rate - monotonic();
      if (wait > 0) await new Promise((done) => setTimeout(done, wait * 1000));
      await queue.add('stamp', { sentAt: monotonic() }, options);
    }
  }
  const used = process.cpuUsage(cpu);
  console.log(JSON.stringify({ wall: (performance.now() - wall) / 1e3, cpu: (used.user + used.system) / 1e6 }));
  await queue.close();
}

(kind === 'work' ? work() : publish()).catch((error) => { console.error(error); process.exit(1); });
