/** RFC 9457, with the fields that every refusal of the API has. */
export interface Problem {
  status: number;
  code: string;
  title: string;
  detail: string;
  pointer?: string | null;
  request_id?: string;
  [field: string]: unknown;
}

/** What stands for an answer that never came. */
export const NETWORK: Problem = { status: 0, code: 'network', title: '', detail: '' };

/** A refusal by the API, or an answer that did not come (`code` is `network`). */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  /** What was wrong this time: the server's words, in English. */
  readonly detail: string;
  /** RFC 6901: which part of the request, such as `/reason` or `/query/from`. */
  readonly pointer: string | null;
  readonly requestId: string | null;
  /** All that came, with the fields of this code's own. */
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail || problem.title || problem.code);
    this.name = 'ApiError';
    this.status = problem.status;
    this.code = problem.code;
    this.detail = problem.detail;
    this.pointer = problem.pointer ?? null;
    this.requestId = problem.request_id ?? null;
    this.problem = problem;
  }

  static async of(answer: Response): Promise<ApiError> {
    const fallback: Problem = {
      status: answer.status,
      code: `http_${answer.status}`,
      title: answer.statusText,
      detail: answer.statusText,
    };
    try {
      return new ApiError({ ...fallback, ...((await answer.json()) as Partial<Problem>) });
    } catch {
      // A proxy in between answers with pages of its own.
      return new ApiError(fallback);
    }
  }

  /** The detail, when it is about the part at `pointer`: what a field shows under itself. */
  at(pointer: string): string | null {
    return this.pointer === pointer ? this.detail : null;
  }
}
