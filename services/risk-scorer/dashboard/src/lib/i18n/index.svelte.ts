import { remember, remembered } from '../storage';
import { fill } from './fill';

export type Language = 'zh' | 'en';

class I18n {
  #language = $state<Language>(first());

  get language(): Language {
    return this.#language;
  }
  set language(value: Language) {
    this.#language = value;
    remember('language', value);
    this.paint();
  }

  /** The BCP 47 tag for `Intl`. */
  get locale(): string {
    return this.#language === 'zh' ? 'zh-CN' : 'en-GB';
  }

  paint(): void {
    document.documentElement.lang = this.#language === 'zh' ? 'zh-CN' : 'en';
  }
}

function first(): Language {
  const kept = remembered('language');
  if (kept === 'zh' || kept === 'en') return kept;
  return navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en';
}

export const i18n = new I18n();

/** The names in braces of a text: `'{n} {n|case|cases} of {name}'` has `n` and `name`. */
type Names<T extends string> = T extends `${string}{${infer Name}}${infer Rest}`
  ? (Name extends `${infer Head}|${string}` ? Head : Name) | Names<Rest>
  : never;
type Values<T extends string> = [Names<T>] extends [never] ? [] : [values: Record<Names<T>, string | number>];

export interface Dictionary<E extends Record<string, string>> {
  <K extends keyof E & string>(key: K, ...values: Values<E[K]>): string;
  /** The text of a word that the server sent (`action_block` for `action_`, `block`); an unknown word stays as it is. */
  word(prefix: string, word: string): string;
}

/**
 * The texts of one area of pages. `zh` must have exactly the keys of `en`, and the values that a text names in braces
 * are checked where it is used: a missing key or value is a type error.
 */
export function dictionary<const E extends Record<string, string>>(
  en: E,
  zh: { readonly [K in keyof E]: string },
): Dictionary<E> {
  const text = (key: keyof E & string): string => (i18n.language === 'zh' ? zh[key] : en[key]) as string;
  const translate = (key: keyof E & string, values?: Record<string, string | number>): string =>
    fill(text(key), values ?? {}, i18n.locale);
  return Object.assign(translate, {
    word: (prefix: string, word: string): string => (prefix + word in en ? text(prefix + word) : word),
  }) as Dictionary<E>;
}
