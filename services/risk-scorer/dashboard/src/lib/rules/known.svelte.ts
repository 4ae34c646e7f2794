import { api, send } from '../api';
import { gather, type Gathered } from '../gather.svelte';
import { list } from '../resource.svelte';
import { outline } from './outline';
import { statsQuery } from './scope';
import type { RuleStats, SetView, VersionView } from './views';

/** A rule in a version that is evaluated. */
export interface KnownRule {
  /** `rls_.../name`, by which its numbers are asked for. */
  id: string;
  name: string;
  setId: string;
  set: string;
  version: number;
  action: string;
}

/** The rules of a version's text. */
export function rulesOf(set: { id: string; name: string }, version: VersionView): KnownRule[] {
  return outline(version.text ?? '').map(({ name, action }) => ({
    id: `${set.id}/${name}`,
    name,
    setId: set.id,
    set: set.name,
    version: version.version,
    action,
  }));
}

/** Numbers of rules, by the address' period and merchant. */
export function statsOf(ids: () => readonly string[]): Gathered<RuleStats> {
  return gather(ids, (id, signal) => {
    return send<RuleStats>('get', '/v1/risk/rules/{id}/stats', { params: { id }, query: statsQuery(), signal });
  });
}

/** All sets, and the rules of what is live and in the shadow. Call it while a component is set up. */
export function evaluatedRules() {
  const sets = list<SetView>((cursor, signal) =>
    api.get('/v1/risk/rulesets', { query: { cursor, limit: 200 }, signal }),
  );
  const wanted = $derived(
    sets.rows.flatMap((set) =>
      set.versions
        .filter(({ current_state }) => current_state === 'live' || current_state === 'shadow')
        .map(({ version }) => `${set.id}/${version}`),
    ),
  );
  // A text never changes under its version's number; where it is in its life stands in the list.
  const key = $derived(wanted.join(' '));
  const texts = gather<VersionView>(
    () => key.split(' ').filter(Boolean),
    (name, signal) => {
      const [id = '', version = ''] = name.split('/');
      const params = { id, version: Number(version) };
      return api.get('/v1/risk/rulesets/{id}/versions/{version}', { params, signal });
    },
  );
  const found = (state: string): KnownRule[] =>
    sets.rows.flatMap((set) =>
      set.versions
        .filter((each) => each.current_state === state)
        .flatMap((each) => {
          const version = texts.found.get(`${set.id}/${each.version}`);
          return version ? rulesOf(set, version) : [];
        }),
    );
  const live = $derived(found('live'));
  const shadow = $derived(found('shadow'));
  return {
    sets,
    get live() {
      return live;
    },
    get shadow() {
      return shadow;
    },
    get loading() {
      return sets.loading || texts.loading;
    },
    get error() {
      return sets.error ?? texts.error;
    },
  };
}
