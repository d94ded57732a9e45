import { setFlagsFromString } from 'node:v8';

/**
 * Has V8 weigh bytes outside of its heap against all memory that is in use, and not against a fixed 64 MiB. Every request is such bytes
 * (its body, its frames, its blocks): by the fixed bound a receiver under load collects its whole heap two to four times a second and the
 * young generation never, 5.5 µs of marking an event on V8's threads; by the other 2.2, for some 100 MB more of memory.
 * To be called before there is much of either. Node 26 is where it was measured; older ones do not know the flag, and would say so aloud.
 */
export function weighOutsideBytes(): void {
  if (Number.parseInt(process.versions.node, 10) >= 26)
    setFlagsFromString('--external-memory-accounted-in-global-limit');
}
