/**
 * Loaded before the program where whoever starts it may end without telling it: npm passes SIGTERM to the shell between, and
 * that shell dies of it and passes nothing on; a killed parent passes nothing at all. Left alone, the program would hold its
 * ports and its data folder for ever. Being given to another parent is the one sign there is. (On Windows there is none.)
 */
const CHECK_MS = 250;

const parent = process.ppid;
const watch = setInterval(() => {
  if (process.ppid === parent) return;
  clearInterval(watch);
  process.kill(process.pid, 'SIGTERM');
}, CHECK_MS);
watch.unref();
