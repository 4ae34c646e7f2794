import type { Decision } from '../api/risk';
import type { Schema } from '../lib/api';

export type Store = Schema<'StoreView'>;

/** What happened at a store lately. */
export interface Visit {
  store: string;
  events: number;
  last: string;
}

/** The stores of some decisions, the one with most first. */
export function visits(decisions: readonly Decision[]): Visit[] {
  const found = new Map<string, Visit>();
  for (const decision of decisions) {
    const store = decision.subject.store_id;
    if (!store) continue;
    const known = found.get(store);
    const last = known && known.last > decision.at ? known.last : decision.at;
    found.set(store, { store, events: (known?.events ?? 0) + 1, last });
  }
  return [...found.values()].sort((a, b) => b.events - a.events || (a.store < b.store ? -1 : 1));
}

interface Place {
  latitude: number;
  longitude: number;
}

const EARTH_KM = 6_371;
const radians = (degrees: number): number => (degrees * Math.PI) / 180;

/** The way over the ground in kilometres (haversine). */
export function kilometres(a: Place, b: Place): number {
  const [dLat, dLon] = [radians(b.latitude - a.latitude), radians(b.longitude - a.longitude)];
  const h =
    Math.sin(dLat / 2) ** 2 + Math.cos(radians(a.latitude)) * Math.cos(radians(b.latitude)) * Math.sin(dLon / 2) ** 2;
  return 2 * EARTH_KM * Math.asin(Math.min(1, Math.sqrt(h)));
}

/** The longest way between any two places. */
export function farthest(places: readonly Place[]): number {
  let most = 0;
  for (const [index, a] of places.entries()) {
    for (const b of places.slice(index + 1)) most = Math.max(most, kilometres(a, b));
  }
  return most;
}

/**
 * The bounds of a plain map around some places, with a margin: a degree of longitude is drawn as wide as it is there
 * (equirectangular, true to scale at the middle latitude), in a frame that is so many times as wide as high.
 */
export function bounds(places: readonly Place[], aspect: number): { x: [number, number]; y: [number, number] } {
  const [lats, lons] = [places.map((place) => place.latitude), places.map((place) => place.longitude)];
  const [south, north, west, east] = [Math.min(...lats), Math.max(...lats), Math.min(...lons), Math.max(...lons)];
  const [lat, lon] = [(south + north) / 2, (west + east) / 2];
  const scale = Math.max(0.1, Math.cos(radians(lat)));
  // At least some streets around a single store.
  let high = Math.max((north - south) * 1.3, 0.02);
  let wide = Math.max((east - west) * 1.3, 0.02 / scale);
  high = Math.max(high, (wide * scale) / aspect);
  wide = Math.max(wide, (high * aspect) / scale);
  return { x: [lon - wide / 2, lon + wide / 2], y: [lat - high / 2, lat + high / 2] };
}
