import { api, send, type Schema } from './api';
import { resource } from './resource.svelte';
import { router } from './router.svelte';
import { session } from './session.svelte';

export type Merchant = Schema<'MerchantView'>;

export interface Person {
  id: string;
  name: string;
  display_name: string;
  role: string;
  merchant_id: string | null;
  created_at: string;
  signed_in_at: string | null;
  disabled_at: string | null;
}

export interface Directory {
  /** The merchants that the user may see, oldest first; a merchant's user sees its own. */
  readonly merchants: readonly Merchant[];
  readonly loading: boolean;
  readonly error: unknown;
  /** Whose lists the page shows: the user's own merchant, the one in the address, or the first. */
  readonly chosen: string | null;
  merchant(id: string): Merchant | undefined;
  /** The merchant's name, or its id while that is not known. */
  merchantName(id: string): string;
  /** Who did something: a user's name, or the id of a key as it is. */
  personName(id: string): string;
}

/** Names of merchants and people for a page. Call it while a component is set up. */
export function directory(): Directory {
  const own = $derived(session.user?.merchant_id ?? null);
  const merchants = resource(async (signal) => {
    if (own) return [await api.get('/v1/merchants/{id}', { params: { id: own }, signal })];
    const { data } = await api.get('/v1/merchants', { query: { limit: 200 }, signal });
    return data.toReversed();
  });
  const people = resource(async (signal) => {
    if (own) return new Map<string, string>();
    const { data } = await send<{ data: Person[] }>('get', '/v1/users', { query: { limit: 200 }, signal });
    return new Map(data.map((person) => [person.id, person.display_name]));
  });
  const byId = $derived(new Map((merchants.data ?? []).map((merchant) => [merchant.id, merchant])));
  const asked = $derived(router.query['merchant'] ?? '');

  return {
    get merchants() {
      return merchants.data ?? [];
    },
    get loading() {
      return merchants.loading;
    },
    get error() {
      return merchants.error;
    },
    get chosen() {
      return own ?? (asked || (merchants.data?.[0]?.id ?? null));
    },
    merchant: (id) => byId.get(id),
    merchantName: (id) => byId.get(id)?.name ?? id,
    personName: (id) => people.data?.get(id) ?? id,
  };
}
