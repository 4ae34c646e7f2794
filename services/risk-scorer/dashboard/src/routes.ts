import { audit } from './lib/i18n/audit';
import { cases } from './lib/i18n/cases';
import { decisions } from './lib/i18n/decisions';
import { loadTests } from './lib/i18n/loadTests';
import { penalties } from './lib/i18n/penalties';
import { settings } from './lib/i18n/settings';
import { stocks } from './lib/i18n/stocks';
import { investigate } from './lib/i18n/investigate';
import { live } from './lib/i18n/live';
import { backtests } from './lib/i18n/backtests';
import { lists } from './lib/i18n/lists';
import { models } from './lib/i18n/models';
import { rules } from './lib/i18n/rules';
import { page, type Route } from './lib/router.svelte';
import type { Role } from './lib/session.svelte';

/** Who sees risk: engineers may do what leads may. */
const ANALYSTS: readonly Role[] = ['analyst', 'analyst_lead', 'engineer'];

/**
 * Every page but sign-in, one line each, in the order of the navigation. A page without `nav` is reached from others;
 * the first one that a role may open is where that role begins.
 */
export const routes: readonly Route[] = [
  page('/live', () => import('./pages/Live.svelte'), {
    title: () => live('title'),
    nav: { group: 'watch', icon: 'pulse', key: 'g l' },
  }),
  page('/investigate', () => import('./pages/Investigate.svelte'), {
    title: () => investigate('title'),
    roles: ANALYSTS,
    nav: { group: 'watch', icon: 'search', key: 'g i' },
  }),
  page('/cases', () => import('./pages/cases/Queue.svelte'), {
    title: () => cases('title'),
    roles: ANALYSTS,
    nav: { group: 'work', icon: 'inbox', key: 'g c' },
  }),
  page('/cases/:id', () => import('./pages/cases/Case.svelte'), {
    title: () => cases('case'),
    roles: ANALYSTS,
  }),
  page('/decisions', () => import('./pages/decisions/Decisions.svelte'), {
    title: () => decisions('title'),
    roles: ANALYSTS,
    nav: { group: 'work', icon: 'shield', key: 'g d' },
  }),
  page('/decisions/:id', () => import('./pages/decisions/DecisionPage.svelte'), {
    title: () => decisions('one'),
    roles: ANALYSTS,
  }),
  page('/subjects/:kind/:value', () => import('./pages/subjects/SubjectPage.svelte'), {
    title: () => decisions('subject'),
    roles: ANALYSTS,
  }),
  page('/rules', () => import('./pages/rules/Rules.svelte'), {
    title: () => rules('title'),
    roles: ANALYSTS,
    nav: { group: 'decide', icon: 'rules', key: 'g r' },
  }),
  page('/rules/new', () => import('./pages/rules/NewRuleSet.svelte'), {
    title: () => rules('new'),
    roles: ANALYSTS,
  }),
  page('/rules/:ruleset/:version', () => import('./pages/rules/RuleSet.svelte'), {
    title: () => rules('title'),
    roles: ANALYSTS,
  }),
  page('/rule/:id', () => import('./pages/rules/Rule.svelte'), { title: () => rules('rule'), roles: ANALYSTS }),
  page('/backtests/:id', () => import('./pages/rules/Backtest.svelte'), {
    title: () => backtests('title'),
    roles: ANALYSTS,
  }),
  page('/lists', () => import('./pages/lists/Lists.svelte'), {
    title: () => lists('title'),
    roles: ANALYSTS,
    nav: { group: 'decide', icon: 'list', key: 'g b' },
  }),
  page('/models', () => import('./pages/models/Models.svelte'), {
    title: () => models('title'),
    roles: ANALYSTS,
    nav: { group: 'decide', icon: 'model', key: 'g m' },
  }),
  page('/models/:model/:version', () => import('./pages/models/Model.svelte'), {
    title: () => models('title'),
    roles: ANALYSTS,
  }),
  page('/stocks', () => import('./pages/Stocks.svelte'), {
    title: () => stocks('title'),
    nav: { group: 'merchant', icon: 'ticket', key: 'g s' },
  }),
  page('/stocks/:id', () => import('./pages/Stock.svelte'), { title: () => stocks('stock') }),
  page('/operations', () => import('./pages/Operations.svelte'), {
    title: () => stocks('operations'),
    nav: { group: 'merchant', icon: 'operations', key: 'g o' },
  }),
  page('/penalties', () => import('./pages/Penalties.svelte'), {
    title: () => penalties('title'),
    nav: { group: 'decide', icon: 'gavel', key: 'g p' },
  }),
  page('/appeals', () => import('./pages/Appeals.svelte'), {
    title: () => penalties('appeals_title'),
    nav: { group: 'decide', icon: 'appeal', key: 'g e' },
  }),
  page('/load-tests', () => import('./pages/LoadTests.svelte'), {
    title: () => loadTests('title'),
    nav: { group: 'run', icon: 'gauge', key: 'g t' },
  }),
  page('/load-tests/:id', () => import('./pages/LoadTest.svelte'), { title: () => loadTests('one') }),
  page('/settings', () => import('./pages/Settings.svelte'), {
    title: () => settings('title'),
    roles: ANALYSTS,
    nav: { group: 'run', icon: 'settings', key: 'g ,' },
  }),
  page('/users', () => import('./pages/Users.svelte'), {
    title: () => settings('users'),
    roles: ['engineer'],
    nav: { group: 'run', icon: 'users', key: 'g u' },
  }),
  page('/audit', () => import('./pages/Audit.svelte'), {
    title: () => audit('title'),
    nav: { group: 'run', icon: 'audit', key: 'g a' },
  }),
];
