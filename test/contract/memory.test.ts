import { createMemoryFeed } from '../../storage/memory/feed.ts';
import { createMemoryHotStore } from '../../storage/memory/hot.ts';
import { describeFeed } from './feed.suite.ts';
import { describeHotStore } from './hot-store.suite.ts';

describeHotStore('memory', async (limits) => {
  const store = createMemoryHotStore(limits);
  await store.start();
  return { store, drop: () => store.stop() };
});

describeFeed('memory', async () => {
  const feed = createMemoryFeed();
  await feed.start();
  return { open: async () => feed, drop: async () => {} };
});
