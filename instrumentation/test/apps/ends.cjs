// Says a word and ends as told.
const [how] = process.argv.slice(2);
console.log('last words');
if (how === 'exit') process.exit(3);
if (how === 'code') process.exitCode = 4;
if (how === 'wait') setInterval(() => {}, 1000);
if (how === 'graceful') {
  const timer = setInterval(() => {}, 1000);
  process.on('SIGTERM', () => {
    clearInterval(timer);
    console.log('closing');
    process.exitCode = 5;
  });
}
if (how === 'alone') {
  // What signal-exit does: end the process only if nobody else listens.
  setInterval(() => {}, 1000);
  process.on('SIGTERM', function last() {
    if (process.listeners('SIGTERM').length > 1) return;
    process.removeListener('SIGTERM', last);
    process.kill(process.pid, 'SIGTERM');
  });
}
if (how) console.log('ready ');
