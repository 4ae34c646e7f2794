import { StringStream } from '@codemirror/language';
import { describe, expect, test } from 'vitest';
import { fileParts, parted, splitsOf, type Artifact } from './artifact';
import { suggestions, type Feature } from './complete';
import { diffLines } from './diff';
import { ruleLanguage } from './language';
import { editorColumn, outline, ruleText } from './outline';
import { stepped } from './series';
import { pairsOf } from './together';
import type { RuleStats } from './views';

const TEXT = `# rule not_one { when hour > 1 then block }
rule farm {
  when distinct(user by device, 24h) > 3
  then block score 500
  reason "{n} users } on one device"
}
rule 夜里 { when amount > 200_000 then review }
rule unfinished { when`;

/** Each word of a line with its colour. */
function colours(line: string): [string, string][] {
  const stream = new StringStream(line, 2, 2);
  const state = ruleLanguage.startState?.(2) ?? { behindThen: false, names: false };
  const found: [string, string][] = [];
  while (!stream.eol()) {
    stream.start = stream.pos;
    const colour = ruleLanguage.token(stream, state);
    if (colour) found.push([stream.current(), colour]);
  }
  return found;
}

describe('the rules of a text', () => {
  test('are those that are whole, without comments and whatever stands in texts', () => {
    expect(
      outline(TEXT).map(({ name, line, lastLine, action, score }) => [name, line, lastLine, action, score]),
    ).toEqual([
      ['farm', 2, 6, 'block', 500],
      ['夜里', 7, 7, 'review', 0],
    ]);
    expect(outline(TEXT)[0]?.reason).toBe('{n} users } on one device');
  });
  test('have a part of it each', () => {
    expect(ruleText(TEXT, '夜里')).toBe('rule 夜里 { when amount > 200_000 then review }');
    expect(ruleText(TEXT, 'nobody')).toBeNull();
  });
  test('columns count characters there and UTF-16 units here', () => {
    expect(editorColumn('reason "🎫" x', 1, 12)).toBe(13);
    expect(editorColumn('a\n夜里 x', 2, 4)).toBe(4);
  });
});

describe('colours', () => {
  test('tell words of the language from features, and the score that is given from the one that is read', () => {
    expect(colours('rule farm { when score > 900 and count(claim by ip, 1h) > 3 then block score 5 }')).toEqual([
      ['rule', 'keyword'],
      ['farm', 'variableName'],
      ['when', 'keyword'],
      ['score', 'propertyName'],
      ['900', 'number'],
      ['and', 'keyword'],
      ['count', 'variableName.function'],
      ['claim', 'propertyName'],
      ['by', 'keyword'],
      ['ip', 'propertyName'],
      ['1h', 'number'],
      ['3', 'number'],
      ['then', 'keyword'],
      ['block', 'bool'],
      ['score', 'keyword'],
      ['5', 'number'],
    ]);
  });
  test('mark what cannot be', () => {
    expect(colours('3x "open ?')).toEqual([
      ['3x', 'invalid'],
      ['"open ?', 'invalid'],
    ]);
    expect(colours('# all of it "')).toEqual([['# all of it "', 'comment']]);
  });
});

describe('completion', () => {
  const features: Feature[] = [
    { name: 'device_claims_1h', type: 'count', window_seconds: 3600 },
    { name: 'count', type: 'number', of: ['claim'], keys: ['device', 'ip'], example: 'count(claim by device, 1h)' },
    { name: 'fraud_rate', type: 'number', keys: ['store'], windows: 'whole days', example: 'fraud_rate(store, 28d)' },
    { name: 'listed', type: 'yes_no', example: 'listed("vpn")' },
    { name: 'hour', type: 'number', about: "the merchant's clock" },
  ];
  const labels = (before: string): string[] => suggestions(before, features, ['vpn']).map(({ label }) => label);

  test('offers what may stand at a place', () => {
    expect(labels('when x > 3 then bl')).toEqual(['allow', 'review', 'challenge', 'block']);
    expect(labels('when count(')).toEqual(['claim']);
    expect(labels('when count(claim b')).toEqual(['by']);
    expect(labels('when count(claim by d')).toEqual(['device', 'ip']);
    expect(labels('when count(claim by device, ')).toContain('24h');
    expect(labels('when fraud_rate(store, ')).toEqual(['7d', '14d', '28d']);
    expect(labels('when listed(')).toEqual(['"vpn"']);
    expect(labels('when ')).toEqual(expect.arrayContaining(['count', 'hour', 'and']));
  });
  test('leaves out what rules cannot name', () => {
    expect(labels('when ')).not.toContain('device_claims_1h');
  });
});

test('a unified diff has its lines by number', () => {
  const unified = '--- version 1\n+++ version 2\n@@ -3,3 +3,3 @@\n same\n-old\n+new\n tail\n';
  expect(diffLines(unified)).toEqual([
    { kind: 'gap', text: '', before: null, after: null },
    { kind: 'same', text: 'same', before: 3, after: 3 },
    { kind: 'removed', text: 'old', before: 4, after: null },
    { kind: 'added', text: 'new', before: null, after: 4 },
    { kind: 'same', text: 'tail', before: 5, after: 5 },
  ]);
  expect(diffLines('')).toEqual([]);
});

test('rules that hit together make one pair, named by the more frequent', () => {
  const pairs = pairsOf([
    { rule: 'rare', hits: 4, co_hits: [{ rule: 'often', count: 2 }] },
    { rule: 'often', hits: 10, co_hits: [{ rule: 'rare', count: 2 }] },
  ]);
  expect(pairs).toEqual([{ a: 'often', b: 'rare', together: 2, share: 0.2, reverse: 0.5 }]);
});

test('a series has the steps in which nothing hit', () => {
  const step = { hits: 2, fraud: 1, honest: 0, unlabelled: 1, precision: 1 };
  const stats = {
    interval: 'day',
    from: '2026-11-24T12:00:00Z',
    until: null,
    looked_back_to: null,
    series: [{ ...step, from: '2026-11-25T00:00:00.000Z' }],
  } as unknown as RuleStats;
  expect(stepped(stats, Date.parse('2026-11-26T06:00:00Z')).map(({ hits }) => hits)).toEqual([0, 2, 0]);
});

describe('models', () => {
  const artifact: Artifact = {
    format: 1,
    inputs: ['amount', 'hour'],
    link: 'logit',
    base: 0,
    trees: [[[1, 6, 1, true, 0.02], [-0.3], [1.9]], [[1]]],
  };
  test('are told by what their trees split on', () => {
    expect(splitsOf(artifact)).toEqual([
      { input: 'hour', splits: 1 },
      { input: 'amount', splits: 0 },
    ]);
  });
  test('have their metrics behind the comment', () => {
    expect(parted('better\nmetrics: {"auc":0.9}')).toEqual({ comment: 'better', metrics: { auc: 0.9 } });
    expect(parted('our metrics: are good')).toEqual({ comment: 'our metrics: are good', metrics: null });
  });
  test('come alone or with metrics in a file', () => {
    expect(fileParts({ artifact, metrics: { auc: 0.9 } })).toEqual({ artifact, metrics: { auc: 0.9 } });
    expect(fileParts(artifact)).toEqual({ artifact, metrics: undefined });
  });
});
