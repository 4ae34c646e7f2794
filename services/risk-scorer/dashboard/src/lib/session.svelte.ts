import { ApiError, credentials, send } from './api';

export const ROLES = ['analyst', 'analyst_lead', 'merchant', 'engineer'] as const;
export type Role = (typeof ROLES)[number];

export interface User {
  id: string;
  name: string;
  display_name: string;
  role: Role;
  merchant_id?: string | null;
}

interface SessionView {
  user: User;
  csrf_token: string;
  expires_at: string;
  permissions: string[];
}

export type Credentials = { name: string; password: string } | { token: string };

/** Who is signed in. The cookie is the browser's and out of reach; only the CSRF token is kept, in memory. */
class Session {
  #view = $state.raw<SessionView | null>(null);
  /** False until the server has said whether there is a session. */
  known = $state(false);
  /** True when the session ended under an open page, which stays as it is until the user signs in again. */
  expired = $state(false);
  /** Grows when somebody signs in: what failed for want of a session is read again. */
  renewals = $state(0);
  /** Why the server could not say; null when it could. */
  failure = $state.raw<ApiError | null>(null);

  constructor() {
    credentials.expired = () => {
      if (this.#view) this.expired = true;
    };
  }

  get user(): User | null {
    return this.#view?.user ?? null;
  }

  /** True when the user has one of these roles; without roles, when anybody is signed in. */
  is(...roles: readonly Role[]): boolean {
    return this.user !== null && (roles.length === 0 || roles.includes(this.user.role));
  }

  /** What hides a control; the server decides all the same. */
  may(permission: string): boolean {
    return this.#view?.permissions.includes(permission) ?? false;
  }

  async restore(): Promise<void> {
    // Who is signed in is asked for the whole application: moving on to another page must not end it.
    const { signal } = new AbortController();
    try {
      this.#take(await send<SessionView>('get', '/v1/sessions/current', { signal }));
      this.failure = null;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.failure = error.status === 401 ? null : error;
    }
    this.known = true;
  }

  async signIn(by: Credentials): Promise<void> {
    this.#take(await send<SessionView>('post', '/v1/sessions', { body: by }));
  }

  async signOut(): Promise<void> {
    await send('delete', '/v1/sessions/current');
    this.#view = null;
    this.expired = false;
    credentials.csrf = null;
  }

  /** All other sessions of the user end; this one goes on as a new one. */
  async setPassword(current: string, next: string): Promise<void> {
    const body = { new: next, ...(current ? { current } : {}) };
    this.#take(await send<SessionView>('put', '/v1/users/me/password', { body }));
  }

  #take(view: SessionView): void {
    this.#view = view;
    this.expired = false;
    this.renewals++;
    credentials.csrf = view.csrf_token;
  }
}

export const session = new Session();
