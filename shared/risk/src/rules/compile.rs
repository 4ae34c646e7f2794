//! Rules into closures over slots.

use super::RuleSet;
use super::ast::{Action, Binary, Expr, ExprKind, RuleText};
use super::check::Type;
use super::facts::{Attribute, Facts};
use crate::feature::Plan;

type Number = Box<dyn Fn(&Facts<'_>) -> f64 + Send + Sync>;
type YesNo = Box<dyn Fn(&Facts<'_>) -> bool + Send + Sync>;

/// What became of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It hit.
    Hit,
    /// It did not.
    NoHit,
    /// It could not be worked out.
    Error,
}

/// A feature or an attribute against a fixed number: what a hit is explained by.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// As rules spell it: `count(claim by device, 1h)`, `amount`.
    pub what: String,
    /// `<`, `<=`, `>`, `>=`, `==` or `!=`.
    pub comparison: &'static str,
    /// The number.
    pub threshold: f64,
    /// Over how many seconds; 0 where there is no window.
    pub window_seconds: u32,
    source: Source,
    operator: Binary,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Source {
    Slot(usize),
    Attribute(Attribute),
}

impl Source {
    fn value(self, facts: &Facts<'_>) -> f64 {
        match self {
            Self::Slot(number) => facts.values.get(number).copied().unwrap_or(f64::NAN),
            Self::Attribute(attribute) => attribute.value(facts),
        }
    }
}

impl Condition {
    /// What is compared, of a request.
    pub fn value(&self, facts: &Facts<'_>) -> f64 {
        self.source.value(facts)
    }

    /// Whether it is so.
    pub fn holds(&self, facts: &Facts<'_>) -> bool {
        compare(self.operator, self.value(facts), self.threshold)
    }
}

/// A rule, ready to be evaluated.
pub struct Rule {
    /// Its name.
    pub name: String,
    /// What it does with what it hits.
    pub action: Action,
    /// Points, 0 to 1000.
    pub score: u16,
    /// What a hit is explained by.
    pub conditions: Vec<Condition>,
    /// The features that it looks at, by their numbers in the plan.
    pub slots: Vec<usize>,
    reason: String,
    when: YesNo,
}

impl Rule {
    /// Whether it hits.
    pub fn evaluate(&self, facts: &Facts<'_>) -> Outcome {
        facts.failed.set(false);
        match ((self.when)(facts), facts.failed.get()) {
            (_, true) => Outcome::Error,
            (true, false) => Outcome::Hit,
            (false, false) => Outcome::NoHit,
        }
    }

    /// Of a hit: the first condition that is so.
    pub fn because(&self, facts: &Facts<'_>) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.holds(facts))
    }

    /// The reason with what was counted in the place of `{n}`; the rule's name where it gives none.
    pub fn text(&self, counted: i64) -> String {
        if self.reason.is_empty() {
            return format!("Rule {} hit.", self.name);
        }
        self.reason.replace("{n}", &counted.to_string())
    }

    /// What a reason with this threshold and window was counted of, as rules spell it.
    pub fn feature(&self, threshold: i64, window_seconds: u32) -> Option<&str> {
        let of = |it: &&Condition| (it.threshold as i64, it.window_seconds) == (threshold, window_seconds);
        self.conditions.iter().find(of).map(|condition| condition.what.as_str())
    }
}

/// A numeric expression, ready to be evaluated: what a learned model looks at is written so.
pub struct Expression {
    /// As it was written.
    pub text: String,
    /// The features that it looks at, by their numbers in the plan.
    pub slots: Vec<usize>,
    number: Number,
}

impl Expression {
    /// Its value; not a number where something is not known, or is divided by zero. A condition is 1 where it is so, and 0
    /// where it is not or is not known.
    pub fn value(&self, facts: &Facts<'_>) -> f64 {
        facts.failed.set(false);
        let value = (self.number)(facts);
        if facts.failed.get() { f64::NAN } else { value }
    }
}

/// With what is not known, no comparison is so; not even that it is another.
#[expect(
    clippy::float_cmp,
    clippy::double_comparisons,
    reason = "whoever writes == means it; and unlike !=, this is no for NaN"
)]
fn compare(operator: Binary, left: f64, right: f64) -> bool {
    match operator {
        Binary::Less => left < right,
        Binary::LessOrEqual => left <= right,
        Binary::More => left > right,
        Binary::MoreOrEqual => left >= right,
        Binary::Equal => left == right,
        _ => left < right || left > right,
    }
}

struct Compiler<'a> {
    plan: &'a mut Plan,
    slots: Vec<usize>,
    conditions: Vec<Condition>,
}

/// Of rules that were checked.
pub(super) fn compile(rules: Vec<RuleText>, plan: &mut Plan) -> RuleSet {
    let mut compiler = Compiler { plan, slots: Vec::new(), conditions: Vec::new() };
    let rules = rules.into_iter().map(|rule| compiler.rule(rule)).collect();
    RuleSet { rules }
}

/// Of an expression that was checked, and is a number or a condition.
pub(super) fn expression(text: &str, expr: &Expr, gives: Type, plan: &mut Plan) -> Expression {
    let mut compiler = Compiler { plan, slots: Vec::new(), conditions: Vec::new() };
    let number: Number = if gives == Type::YesNo {
        let is_so = compiler.yes_no(expr);
        Box::new(move |facts| f64::from(u8::from(is_so(facts))))
    } else {
        compiler.number(expr)
    };
    Expression { text: text.to_owned(), slots: compiler.slots, number }
}

impl Compiler<'_> {
    fn rule(&mut self, rule: RuleText) -> Rule {
        let when = self.yes_no(&rule.when);
        Rule {
            name: rule.name,
            action: rule.action,
            score: rule.score,
            conditions: std::mem::take(&mut self.conditions),
            slots: std::mem::take(&mut self.slots),
            reason: rule.reason,
            when,
        }
    }

    fn source(&mut self, expr: &Expr) -> Option<Source> {
        match &expr.kind {
            ExprKind::Feature(feature) => {
                let number = self.plan.add(*feature)?;
                if !self.slots.contains(&number) {
                    self.slots.push(number);
                }
                Some(Source::Slot(number))
            }
            ExprKind::Attribute(name) => Attribute::of(name).map(Source::Attribute),
            _ => None,
        }
    }

    fn number(&mut self, expr: &Expr) -> Number {
        if let Some(source) = self.source(expr) {
            return Box::new(move |facts| source.value(facts));
        }
        match &expr.kind {
            ExprKind::Number(number) => {
                let number = *number;
                Box::new(move |_| number)
            }
            ExprKind::Negative(inner) => {
                let inner = self.number(inner);
                Box::new(move |facts| -inner(facts))
            }
            ExprKind::Binary(operator, left, right) => {
                let (left, right) = (self.number(left), self.number(right));
                match operator {
                    Binary::Add => Box::new(move |facts| left(facts) + right(facts)),
                    Binary::Subtract => Box::new(move |facts| left(facts) - right(facts)),
                    Binary::Multiply => Box::new(move |facts| left(facts) * right(facts)),
                    _ => Box::new(move |facts| {
                        let (left, right) = (left(facts), right(facts));
                        if right == 0.0 {
                            facts.failed.set(true);
                        }
                        left / right
                    }),
                }
            }
            _ => unreachable!("the check lets only numbers through here"),
        }
    }

    fn yes_no(&mut self, expr: &Expr) -> YesNo {
        match &expr.kind {
            ExprKind::Has(field) => {
                let field = *field;
                Box::new(move |facts| facts.subject.get(field).is_some())
            }
            ExprKind::Listed(list) => {
                let list = list.clone();
                Box::new(move |facts| facts.lists.contains(&list.as_str()))
            }
            ExprKind::Not(inner) => {
                let inner = self.yes_no(inner);
                Box::new(move |facts| !inner(facts))
            }
            ExprKind::Binary(operator, left, right) => self.binary(*operator, left, right),
            _ => unreachable!("the check lets only conditions through here"),
        }
    }

    fn binary(&mut self, operator: Binary, left: &Expr, right: &Expr) -> YesNo {
        match operator {
            // Both sides are worked out always: an error in one is seen whatever the other says.
            Binary::Or => {
                let (left, right) = (self.yes_no(left), self.yes_no(right));
                Box::new(move |facts| left(facts) | right(facts))
            }
            Binary::And => {
                let (left, right) = (self.yes_no(left), self.yes_no(right));
                Box::new(move |facts| left(facts) & right(facts))
            }
            _ => match (&left.kind, &right.kind) {
                (ExprKind::Text(text), _) | (_, ExprKind::Text(text)) => {
                    let (text, same) = (text.clone(), operator == Binary::Equal);
                    Box::new(move |facts| (facts.event == text) == same)
                }
                _ => self.comparison(operator, left, right),
            },
        }
    }

    fn comparison(&mut self, operator: Binary, left: &Expr, right: &Expr) -> YesNo {
        if let (Some(source), ExprKind::Number(threshold)) = (self.source(left), &right.kind) {
            let (what, window_seconds) = match &left.kind {
                ExprKind::Feature(feature) => (feature.to_string(), feature.window_seconds),
                ExprKind::Attribute(name) => (name.clone(), 0),
                _ => unreachable!("only these have a source"),
            };
            let threshold = *threshold;
            let comparison = operator.sign();
            self.conditions.push(Condition { what, comparison, threshold, window_seconds, source, operator });
            return Box::new(move |facts| compare(operator, source.value(facts), threshold));
        }
        let (left, right) = (self.number(left), self.number(right));
        Box::new(move |facts| compare(operator, left(facts), right(facts)))
    }
}
