import { remember, remembered } from './storage';

export type Theme = 'light' | 'dark' | 'system';
export type Zone = 'local' | 'UTC';

function oneOf<T extends string>(key: string, allowed: readonly T[], otherwise: T): T {
  const value = remembered(key);
  return allowed.find((each) => each === value) ?? otherwise;
}

/** Asked once: every time that is shown needs it, and the answer takes the browser long. */
const LOCAL_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

const darkness = matchMedia('(prefers-color-scheme: dark)');

/** How this user likes to see things; kept in the browser. */
class Preferences {
  #theme = $state<Theme>(oneOf('theme', ['light', 'dark', 'system'], 'system'));
  #zone = $state<Zone>(oneOf('zone', ['local', 'UTC'], 'local'));
  #system = $state(darkness.matches);
  /** The theme that is shown: what charts and the editor colour themselves by. */
  readonly shown: 'light' | 'dark' = $derived(
    this.#theme === 'system' ? (this.#system ? 'dark' : 'light') : this.#theme,
  );

  constructor() {
    darkness.addEventListener('change', () => {
      this.#system = darkness.matches;
      this.#paint();
    });
    this.#paint();
  }

  get theme(): Theme {
    return this.#theme;
  }
  set theme(value: Theme) {
    this.#theme = value;
    remember('theme', value);
    this.#paint();
  }

  get zone(): Zone {
    return this.#zone;
  }
  set zone(value: Zone) {
    this.#zone = value;
    remember('zone', value);
  }

  /** The IANA name behind `zone`. */
  get timeZone(): string {
    return this.#zone === 'UTC' ? 'UTC' : LOCAL_ZONE;
  }

  #paint(): void {
    document.documentElement.dataset['theme'] = this.shown;
  }
}

export const preferences = new Preferences();
