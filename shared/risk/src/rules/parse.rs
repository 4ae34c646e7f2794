//! Tokens into rules, by recursive descent; operators by how strongly they bind (precedence climbing).
//!
//! ```text
//! rules      = { "rule" name "{" "when" expression "then" action [ "score" number ] [ "reason" text ] "}" }
//! action     = "allow" | "review" | "challenge" | "block"
//! expression = operand { operator operand }            or < and < not < comparison < + - < * /
//! operand    = number | duration | text | attribute | "(" expression ")" | "not" expression | "-" operand
//!            | "count" "(" event "by" key "," window ")" | "sum" "(" event "by" key "," window ")"
//!            | "distinct" "(" field "by" key "," window ")" | "age" "(" key ")" | "idle" "(" key ")"
//!            | "has" "(" field ")" | "listed" "(" text ")"
//!            | ( "burst" | "gap_variation" ) "(" event "by" key "," window ")"
//!            | ( "fraud_rate" | "frauds" | "settled" ) "(" key "," window ")" | "travel_speed" "(" key ")"
//! key        = field { "+" field }
//! ```

use super::ast::{Action, Binary, Expr, ExprKind, RuleText};
use super::problem::{Place, Problem, code};
use super::token::{Placed, Token, tokens};
use crate::feature::{Feature, Field, Happening, Key, Measure};

/// Rules of one set.
const MOST_RULES: usize = 500;
/// Brackets and signs within each other.
const DEEPEST: usize = 32;
/// Operators of one rule: a chain of them is as deep as it is long.
const MOST_OPERATORS: usize = 200;

/// Problems that are told at once.
const MOST_PROBLEMS: usize = 100;

/// How strongly `and` binds.
const AND: u8 = 2;

/// What a rule may say it does, for hints.
const ACTIONS: &str = "write allow, review, challenge or block";

/// What can be called, for hints.
const CALLS: &str =
    "count, sum, distinct, age, idle, burst, gap_variation, fraud_rate, frauds, settled, travel_speed, has and listed";

pub(super) struct Parser {
    tokens: Vec<Placed>,
    at: usize,
    depth: usize,
    operators: usize,
}

/// The rules of a text, and everything that is wrong with their form: after a problem it goes on with the next rule.
pub(super) fn parse(text: &str) -> (Vec<RuleText>, Vec<Problem>) {
    let tokens = match tokens(text) {
        Ok(tokens) => tokens,
        Err(problem) => return (Vec::new(), vec![problem]),
    };
    let mut parser = Parser { tokens, at: 0, depth: 0, operators: 0 };
    let (mut rules, mut problems) = (Vec::new(), Vec::new());
    while parser.peek() != &Token::End {
        match parser.rule() {
            Ok(rule) if rules.len() == MOST_RULES => {
                let message = format!("a rule set has at most {MOST_RULES} rules");
                problems.push(Problem::new(rule.place, code::TOO_MUCH, message, "split it into several sets"));
                break;
            }
            Ok(rule) => rules.push(rule),
            Err(problem) => {
                problems.push(problem);
                if problems.len() == MOST_PROBLEMS {
                    break;
                }
                parser.next_rule();
            }
        }
    }
    (rules, problems)
}

/// The one expression of a text.
pub(super) fn parse_expression(text: &str) -> Result<Expr, Problem> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0, operators: 0 };
    let expr = parser.expression(0)?;
    if parser.peek() == &Token::End {
        return Ok(expr);
    }
    Err(parser.wrong("the end of the expression", "write one expression only"))
}

impl Parser {
    fn peek(&self) -> &Token {
        &self.tokens[self.at].token
    }

    fn place(&self) -> Place {
        self.tokens[self.at].place
    }

    /// The next token; the end stays where it is.
    fn take(&mut self) -> Placed {
        let placed = self.tokens[self.at].clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        placed
    }

    fn next_rule(&mut self) {
        self.depth = 0;
        loop {
            match self.peek() {
                Token::End => return,
                Token::Word(word) if word == "rule" && self.at > 0 => return,
                _ => drop(self.take()),
            }
        }
    }

    fn wrong(&self, wanted: &str, hint: &str) -> Problem {
        let message = format!("{wanted} is expected here, not {}", self.peek().said());
        Problem::new(self.place(), code::SYNTAX, message, hint)
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Token::Word(found) if found == word)
    }

    fn keyword(&mut self, word: &'static str, hint: &str) -> Result<(), Problem> {
        if self.is_word(word) {
            self.take();
            return Ok(());
        }
        Err(self.wrong(&format!("`{word}`"), hint))
    }

    fn sign(&mut self, sign: &'static str, hint: &str) -> Result<(), Problem> {
        if self.peek() == &Token::Sign(sign) {
            self.take();
            return Ok(());
        }
        Err(self.wrong(&format!("`{sign}`"), hint))
    }

    fn word(&mut self, wanted: &str, hint: &str) -> Result<(String, Place), Problem> {
        match self.peek() {
            Token::Word(word) => {
                let (word, place) = (word.clone(), self.place());
                self.take();
                Ok((word, place))
            }
            _ => Err(self.wrong(wanted, hint)),
        }
    }

    fn rule(&mut self) -> Result<RuleText, Problem> {
        const FORM: &str = "a rule is: rule name { when ... then block score 300 reason \"...\" }";
        let place = self.place();
        self.operators = 0;
        self.keyword("rule", FORM)?;
        let (name, _) = self.word("the rule's name", FORM)?;
        self.sign("{", FORM)?;
        self.keyword("when", FORM)?;
        let when = self.expression(0)?;
        self.keyword("then", "after the condition comes then, and what the rule does")?;
        let (action, at) = self.word("an action", ACTIONS)?;
        let action = Action::ALL.into_iter().find(|known| known.name() == action);
        let action = action
            .ok_or_else(|| Problem::new(at, code::UNKNOWN_NAME, "there is no such action".to_owned(), ACTIONS))?;
        let score = if self.is_word("score") { self.score()? } else { 0 };
        let reason = if self.is_word("reason") { self.reason()? } else { String::new() };
        self.sign("}", "after the action come score and reason, in this order, and then }")?;
        Ok(RuleText { name, place, when, action, score, reason })
    }

    fn score(&mut self) -> Result<u16, Problem> {
        self.take();
        match *self.peek() {
            Token::Number(points) if (0.0..=1000.0).contains(&points) && points.fract() == 0.0 => {
                self.take();
                Ok(points as u16)
            }
            _ => Err(self.wrong("the points", "write a whole number from 0 to 1000")),
        }
    }

    fn reason(&mut self) -> Result<String, Problem> {
        self.take();
        self.quoted("the reason's text", "write it in double quotes; {n} stands for what was counted")
    }

    fn quoted(&mut self, wanted: &str, hint: &str) -> Result<String, Problem> {
        match self.peek().clone() {
            Token::Text(text) => {
                self.take();
                Ok(text)
            }
            _ => Err(self.wrong(wanted, hint)),
        }
    }

    /// What binds more strongly than `least`.
    fn expression(&mut self, least: u8) -> Result<Expr, Problem> {
        let mut left = self.operand()?;
        loop {
            let operator = match self.peek() {
                Token::Word(word) => Binary::of(word),
                Token::Sign(sign) => Binary::of(sign),
                _ => None,
            };
            let Some((binary, binds)) = operator.filter(|(_, binds)| *binds > least) else { return Ok(left) };
            let place = self.place();
            self.operators += 1;
            if self.operators > MOST_OPERATORS {
                let message = format!("a rule has at most {MOST_OPERATORS} operators");
                return Err(Problem::new(place, code::TOO_MUCH, message, "split the rule"));
            }
            self.take();
            let right = self.expression(binds)?;
            if let (true, ExprKind::Binary(inner, ..)) = (binary.is_comparison(), &left.kind)
                && inner.is_comparison()
            {
                let hint = "join two comparisons with and: a < b and b < c";
                return Err(Problem::new(place, code::SYNTAX, "comparisons do not chain".to_owned(), hint));
            }
            left = Expr { kind: ExprKind::Binary(binary, Box::new(left), Box::new(right)), place };
        }
    }

    fn operand(&mut self) -> Result<Expr, Problem> {
        if self.depth >= DEEPEST {
            let message = format!("nested deeper than {DEEPEST} levels");
            return Err(Problem::new(self.place(), code::TOO_MUCH, message, "split the rule"));
        }
        self.depth += 1;
        let operand = self.flat_operand();
        self.depth -= 1;
        operand
    }

    fn flat_operand(&mut self) -> Result<Expr, Problem> {
        let Placed { token, place } = self.take();
        let kind = match token {
            Token::Number(number) => ExprKind::Number(number),
            Token::Duration(seconds) => ExprKind::Number(f64::from(seconds)),
            Token::Text(text) => ExprKind::Text(text),
            Token::Sign("(") => {
                let inner = self.expression(0)?;
                self.sign(")", "close the bracket")?;
                return Ok(inner);
            }
            Token::Sign("-") => ExprKind::Negative(Box::new(self.operand()?)),
            // Turns a comparison round, and binds more strongly than and.
            Token::Word(word) if word == "not" => ExprKind::Not(Box::new(self.expression(AND)?)),
            Token::Word(word) if self.peek() == &Token::Sign("(") => self.call(&word, place)?,
            Token::Word(word) => ExprKind::Attribute(word),
            other => {
                let message = format!("a value is expected here, not {}", other.said());
                let hint = "write a number, a feature such as count(claim by device, 1h), or a bracket";
                return Err(Problem::new(place, code::SYNTAX, message, hint));
            }
        };
        Ok(Expr { kind, place })
    }

    fn call(&mut self, name: &str, place: Place) -> Result<ExprKind, Problem> {
        self.sign("(", "")?;
        let feature = |(measure, key, window_seconds)| ExprKind::Feature(Feature { measure, key, window_seconds });
        let kind = match name {
            "count" => feature(self.of_happening(Measure::Count, "count(claim by device, 1h)")?),
            "sum" => feature(self.of_happening(Measure::Sum, "sum(redemption by user, 24h)")?),
            "burst" => feature(self.of_happening(Measure::Burst, "burst(claim by store, 1h)")?),
            "gap_variation" => feature(self.of_happening(Measure::GapVariation, "gap_variation(claim by device, 1h)")?),
            "distinct" => {
                let measure = Measure::Distinct(self.field()?);
                feature(self.by_and_window(measure, "distinct(user by device, 24h)")?)
            }
            "fraud_rate" => feature(self.key_and_window(Measure::FraudRate, "fraud_rate(device, 28d)")?),
            "frauds" => feature(self.key_and_window(Measure::Frauds, "frauds(device, 28d)")?),
            "settled" => feature(self.key_and_window(Measure::Settled, "settled(device, 28d)")?),
            "age" => feature((Measure::Age, self.key()?, 0)),
            "idle" => feature((Measure::Idle, self.key()?, 0)),
            "travel_speed" => feature((Measure::Speed, self.key()?, 0)),
            "has" => ExprKind::Has(self.field()?),
            "listed" => ExprKind::Listed(self.quoted("the list's name", "write it like listed(\"vpn\")")?),
            _ => {
                let message = format!("`{name}` is no feature");
                return Err(Problem::new(place, code::UNKNOWN_NAME, message, format!("there are {CALLS}")));
            }
        };
        self.sign(")", "close the bracket")?;
        Ok(kind)
    }

    fn of_happening(
        &mut self,
        measure: fn(Happening) -> Measure,
        example: &str,
    ) -> Result<(Measure, Key, u32), Problem> {
        let measure = measure(self.happening()?);
        self.by_and_window(measure, example)
    }

    fn by_and_window(&mut self, measure: Measure, example: &str) -> Result<(Measure, Key, u32), Problem> {
        self.keyword("by", &format!("write it like {example}"))?;
        self.key_and_window(measure, example)
    }

    fn key_and_window(&mut self, measure: Measure, example: &str) -> Result<(Measure, Key, u32), Problem> {
        let key = self.key()?;
        self.sign(",", &format!("write it like {example}"))?;
        let (place, hint) = (self.place(), measure.windows_hint());
        let Token::Duration(window_seconds) = *self.peek() else { return Err(self.wrong("a window", hint)) };
        if !(Feature { measure, key, window_seconds }).can_be_counted() {
            let message = format!("{window_seconds} s cannot be counted exactly");
            return Err(Problem::new(place, code::WINDOW, message, hint));
        }
        self.take();
        Ok((measure, key, window_seconds))
    }

    fn happening(&mut self) -> Result<Happening, Problem> {
        let hint = format!("what can be counted: {}", names(Happening::ALL.iter().map(|known| known.name())));
        let (name, place) = self.word("what is counted", &hint)?;
        let found = Happening::ALL.into_iter().find(|known| known.name() == name);
        found.ok_or_else(|| Problem::new(place, code::UNKNOWN_NAME, format!("`{name}` cannot be counted"), hint))
    }

    fn field(&mut self) -> Result<Field, Problem> {
        let hint = format!("there are {}", names(Field::ALL.iter().map(|known| known.name())));
        let (name, place) = self.word("a field", &hint)?;
        let found = Field::ALL.into_iter().find(|known| known.name() == name);
        found.ok_or_else(|| Problem::new(place, code::UNKNOWN_NAME, format!("`{name}` is no field"), hint))
    }

    fn key(&mut self) -> Result<Key, Problem> {
        let place = self.place();
        let mut fields = vec![self.field()?];
        while self.peek() == &Token::Sign("+") {
            self.take();
            fields.push(self.field()?);
        }
        Key::new(&fields).ok_or_else(|| {
            let hint = "a key is one field or two different ones, such as device + stock";
            Problem::new(place, code::SYNTAX, "this is no key".to_owned(), hint)
        })
    }
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}
