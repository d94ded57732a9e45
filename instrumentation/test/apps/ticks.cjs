// Logs a few times and is done.
let left = 40;
const timer = setInterval(() => {
  console.log('tick');
  if (--left === 0) clearInterval(timer);
}, 10);
