import {
  acceptCompletion,
  autocompletion,
  completionKeymap,
  completionStatus,
  moveCompletionSelection,
  type CompletionSource,
} from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { HighlightStyle, syntaxHighlighting, StreamLanguage, type StreamParser } from '@codemirror/language';
import { lintGutter, setDiagnostics, type Diagnostic } from '@codemirror/lint';
import { EditorState, type Extension } from '@codemirror/state';
import { drawSelection, EditorView, keymap, lineNumbers, placeholder } from '@codemirror/view';
import { tags } from '@lezer/highlight';

/** A mistake at a place, counted from 1 in characters, as the API says it. */
export interface Problem {
  line?: number;
  column: number;
  message: string;
  hint?: string;
}

export interface EditorOptions {
  parent: HTMLElement;
  text: string;
  label: string;
  /** One line: Enter submits. */
  single: boolean;
  readonly: boolean;
  placeholder: string;
  language: StreamParser<unknown> | undefined;
  complete: CompletionSource | undefined;
  onchange: (text: string) => void;
  onsubmit: (() => void) | undefined;
}

const colours = HighlightStyle.define([
  { tag: tags.keyword, color: 'var(--challenge)', fontWeight: '600' },
  { tag: [tags.string, tags.special(tags.string)], color: 'var(--allow)' },
  { tag: [tags.number, tags.bool], color: 'var(--review)' },
  { tag: [tags.propertyName, tags.function(tags.variableName)], color: 'var(--accent)' },
  { tag: tags.comment, color: 'var(--text-2)', fontStyle: 'italic' },
  { tag: tags.invalid, color: 'var(--block)' },
]);

const look = EditorView.theme({
  '&': { color: 'var(--text)', backgroundColor: 'var(--surface)', fontSize: '13px' },
  '&.cm-focused': { outline: '2px solid var(--focus)', outlineOffset: '-1px' },
  // A page may bound the height; then the text scrolls within.
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.6', maxHeight: 'var(--editor-height, none)' },
  '.cm-content': { caretColor: 'var(--text)' },
  '.cm-cursor': { borderLeftColor: 'var(--text)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': {
    background: 'var(--selected)',
  },
  '.cm-gutters': { backgroundColor: 'var(--surface)', color: 'var(--text-2)', border: '0' },
  '.cm-placeholder': { color: 'var(--text-2)' },
  '.cm-tooltip': { backgroundColor: 'var(--raised)', color: 'var(--text)', border: '1px solid var(--line)' },
  '.cm-tooltip-autocomplete > ul > li[aria-selected]': { backgroundColor: 'var(--selected)', color: 'var(--text)' },
  '.cm-completionDetail': { color: 'var(--text-2)' },
});

/** Takes the completion that is chosen, or the first one. */
function complete(view: EditorView): boolean {
  if (completionStatus(view.state) !== 'active') return false;
  return acceptCompletion(view) || (moveCompletionSelection(true)(view) && acceptCompletion(view));
}

/**
 * Typing over a selection. The browser would do it by itself, and keep the look of what was selected as an inline style,
 * which the policy blocks.
 */
const typeOver = EditorView.domEventHandlers({
  beforeinput(event, view) {
    const { state } = view;
    if (event.inputType !== 'insertText' || !event.data || view.composing) return false;
    if (state.readOnly || state.selection.main.empty) return false;
    event.preventDefault();
    view.dispatch({ ...state.replaceSelection(event.data), userEvent: 'input.type', scrollIntoView: true });
    return true;
  },
});

/**
 * CodeMirror inside a shadow root: there its styles are adopted style sheets, and in the page they would be an inline
 * style element, which the policy blocks.
 */
export function createEditor(options: EditorOptions): EditorView {
  const root = options.parent.shadowRoot ?? options.parent.attachShadow({ mode: 'open' });
  const submit = (): boolean => (options.onsubmit?.(), true);
  const extensions: Extension[] = [
    // On one line Enter submits unless a completion was chosen by the arrows; Tab takes the first one.
    keymap.of(
      options.single
        ? [
            { key: 'Enter', run: (view) => acceptCompletion(view) || submit() },
            { key: 'Tab', run: complete },
          ]
        : [{ key: 'Mod-Enter', run: submit }],
    ),
    history(),
    drawSelection(),
    typeOver,
    keymap.of([...completionKeymap, ...historyKeymap, ...defaultKeymap]),
    EditorView.contentAttributes.of({ 'aria-label': options.label, spellcheck: 'false', tabindex: '0' }),
    EditorView.updateListener.of((update) => update.docChanged && options.onchange(update.state.doc.toString())),
    EditorState.readOnly.of(options.readonly),
    placeholder(options.placeholder),
    syntaxHighlighting(colours),
    look,
  ];
  if (options.language) extensions.push(StreamLanguage.define(options.language));
  if (options.complete)
    extensions.push(autocompletion({ override: [options.complete], icons: false, selectOnOpen: !options.single }));
  if (options.single)
    extensions.push(EditorState.transactionFilter.of((change) => (change.newDoc.lines > 1 ? [] : change)));
  else extensions.push(lineNumbers(), lintGutter(), EditorView.lineWrapping);
  return new EditorView({ state: EditorState.create({ doc: options.text, extensions }), parent: root, root });
}

/** Underlines each problem's word. */
export function showProblems(view: EditorView, problems: readonly Problem[]): void {
  const { doc } = view.state;
  const found = problems.map((problem): Diagnostic => {
    const line = doc.line(Math.min(Math.max(problem.line ?? 1, 1), doc.lines));
    const from = Math.min(line.from + Math.max(problem.column - 1, 0), line.to);
    const word = view.state.wordAt(from);
    const message = problem.hint ? `${problem.message} ${problem.hint}` : problem.message;
    return { from, to: word?.to ?? Math.min(from + 1, line.to), severity: 'error', message };
  });
  view.dispatch(setDiagnostics(view.state, found));
}
