/** The newest `capacity` items, newest first: what keeps memory flat under a stream that never ends. */
export function pushNewest<T>(kept: readonly T[], arrived: readonly T[], capacity: number): T[] {
  const newest = arrived.slice(-capacity).reverse();
  return newest.concat(kept.slice(0, capacity - newest.length));
}
