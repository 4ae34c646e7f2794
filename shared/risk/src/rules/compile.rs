//! Rules into closures over slots.

use std::cell::Cell;

use super::RuleSet;
use super::ast::{Action, Binary, Expr, ExprKind, RuleText};
use crate::feature::{Plan, Subject};

/// What a request says and what is known of whom it has to do with.
pub struct Facts<'a> {
    /// The values of the plan's features, by their numbers; not a number where one is not known.
    pub values: &'a [f64],
    /// With whom and what.
    pub subject: &'a Subject,
    /// `claim`, `lock` or `redemption`.
    pub event: &'a str,
    /// The order's amount, minor units; not a number where there is none.
    pub amount: f64,
    /// The hour of the merchant's day, 0 to 23.
    pub hour: f64,
    /// 1 for Monday to 7 for Sunday.
    pub weekday: f64,
    /// Something could not be worked out.
    pub failed: Cell<bool>,
}

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
    Amount,
    Hour,
    Weekday,
}

impl Source {
    fn value(self, facts: &Facts<'_>) -> f64 {
        match self {
            Self::Slot(number) => facts.values.get(number).copied().unwrap_or(f64::NAN),
            Self::Amount => facts.amount,
            Self::Hour => facts.hour,
            Self::Weekday => facts.weekday,
        }
    }

    fn of_attribute(name: &str) -> Option<Self> {
        Some(match name {
            "amount" => Self::Amount,
            "hour" => Self::Hour,
            "weekday" => Self::Weekday,
            _ => return None,
        })
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
    pub fn reason(&self, facts: &Facts<'_>) -> String {
        if self.reason.is_empty() {
            return format!("Rule {} hit.", self.name);
        }
        let counted = self.because(facts).map_or_else(String::new, |condition| condition.value(facts).to_string());
        self.reason.replace("{n}", &counted)
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
            ExprKind::Attribute(name) => Source::of_attribute(name),
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
