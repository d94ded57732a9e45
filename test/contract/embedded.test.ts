import { embeddedDirectory } from '../support/embedded.ts';
import { describeWarmStore } from './warm-store.suite.ts';

describeWarmStore('SQLite', embeddedDirectory);
