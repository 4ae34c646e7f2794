//! A line into a query, by recursive descent, letter by letter: what a value may hold depends on where it stands.
//!
//! ```text
//! query  = [ some ]
//! some   = all { "or" all }
//! all    = one { [ "and" ] one }
//! one    = ( "not" | "-" ) one | "(" some ")" | field ( ":" values | sign number )
//! values = value | "(" value { "," value } ")"
//! sign   = ":" | "=" | "<" | "<=" | ">" | ">="
//! value  = word | '"' text '"'                     with \" and \\ in it
//! ```

use super::{Comparison, Field, FieldType, Problem, Query, Term, Test};

/// Bytes of a query at most.
pub const MOST_BYTES: usize = 8_192;
/// Brackets and signs within each other.
const DEEPEST: usize = 32;
/// Values in all.
const MOST_VALUES: usize = 500;
/// Problems that are told at once.
const MOST_PROBLEMS: usize = 20;

/// Reads a query; or says all that is wrong with it, in the order of its columns.
pub fn parse(text: &str) -> Result<Query, Vec<Problem>> {
    if text.len() > MOST_BYTES {
        let message = format!("the query is longer than {MOST_BYTES} bytes");
        return Err(vec![Problem::new(1, message, "ask for less at once")]);
    }
    let mut parser = Parser { text: text.chars().collect(), at: 0, depth: 0, values: 0, problems: Vec::new() };
    let query = parser.whole();
    let mut problems = parser.problems;
    match query {
        Ok(query) if problems.is_empty() => return Ok(query),
        Ok(_) => {}
        Err(problem) => problems.push(problem),
    }
    problems.sort_by_key(|problem| problem.column);
    Err(problems)
}

/// Where a value without quotes ends.
pub(super) fn ends_value(char: char) -> bool {
    char.is_whitespace() || matches!(char, '(' | ')' | ',' | '"')
}

struct Parser {
    text: Vec<char>,
    at: usize,
    depth: usize,
    values: usize,
    /// What is wrong and does not keep the rest from being read.
    problems: Vec<Problem>,
}

type Parsed<T> = Result<T, Problem>;

impl Parser {
    fn whole(&mut self) -> Parsed<Query> {
        self.skip();
        if self.peek().is_none() {
            return Ok(Query::And(Vec::new()));
        }
        let query = self.some()?;
        match self.peek() {
            None => Ok(query),
            Some(_) => Err(self.here("this bracket was never opened", "leave it out")),
        }
    }

    fn some(&mut self) -> Parsed<Query> {
        let mut list = vec![self.all()?];
        while self.keyword("or") {
            list.push(self.all()?);
        }
        Ok(if list.len() > 1 { Query::Or(list) } else { list.swap_remove(0) })
    }

    fn all(&mut self) -> Parsed<Query> {
        let mut list = vec![self.one()?];
        loop {
            let and = self.keyword("and");
            if !and && (matches!(self.peek(), None | Some(')')) || self.is_at("or")) {
                break;
            }
            list.push(self.one()?);
        }
        Ok(if list.len() > 1 { Query::And(list) } else { list.swap_remove(0) })
    }

    fn one(&mut self) -> Parsed<Query> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.here(&format!("brackets and negations are more than {DEEPEST} deep"), "write it flatter"));
        }
        let one = self.within();
        self.depth -= 1;
        self.skip();
        one
    }

    fn within(&mut self) -> Parsed<Query> {
        if self.take('-') || self.keyword("not") {
            self.skip();
            return Ok(Query::Not(Box::new(self.one()?)));
        }
        let opened = self.column();
        if !self.take('(') {
            return self.term().map(Query::Is);
        }
        self.skip();
        let query = self.some()?;
        if !self.take(')') {
            return Err(Problem::new(opened, "this bracket is never closed", "write ) behind what it holds"));
        }
        Ok(query)
    }

    fn term(&mut self) -> Parsed<Term> {
        const TERM: &str = "write a field and what it shall be, such as action:block";
        let column = self.column();
        let begun = self.at;
        while self.peek().is_some_and(|char| char.is_alphanumeric() || char == '_') {
            self.at += 1;
        }
        let name: String = self.text[begun..self.at].iter().collect();
        let sign = self.sign();
        match (name.as_str(), sign) {
            ("and" | "or", None) => {
                return Err(Problem::new(column, format!("something is missing before {name}"), TERM));
            }
            ("", _) if self.peek().is_none() => {
                return Err(Problem::new(column, "something is missing at the end", TERM));
            }
            ("", _) => return Err(Problem::new(column, "this is no field", TERM)),
            (_, None) => {
                let hint = format!("write a field before it, such as device:{name}");
                return Err(Problem::new(column, format!("{name:?} stands alone"), hint));
            }
            _ => {}
        }
        let values = self.values()?;
        let Some(field) = Field::named(&name) else {
            self.report(unknown(&name, column));
            return Ok(Term { field: Field::Rule, test: Test::OneOf(Vec::new()), column });
        };
        let test = self.test(field, sign.unwrap_or(Sign::Is), values);
        Ok(Term { field, test: test.unwrap_or(Test::OneOf(Vec::new())), column })
    }

    /// What is asked of a field; what does not go together is reported.
    fn test(&mut self, field: Field, sign: Sign, values: Vec<(u32, String)>) -> Option<Test> {
        let (name, (column, first)) = (field.name(), values.first()?.clone());
        if field.kind() == FieldType::Number {
            let comparison = if let Sign::Compare(comparison) = sign { comparison } else { Comparison::Equal };
            let number = first.parse::<i64>().ok().filter(|_| values.len() == 1);
            if number.is_none() {
                let hint = format!("compare it, such as {name}>=500 {name}<1000");
                self.report(Problem::new(column, format!("{name} is one whole number"), hint));
            }
            return number.map(|number| Test::Compare(comparison, number));
        }
        if !matches!(sign, Sign::Is | Sign::Compare(Comparison::Equal)) {
            self.report(Problem::new(column, format!("{name} is no number"), format!("write {name}:{first}")));
            return None;
        }
        let known = field.values();
        for (column, value) in values.iter().filter(|(_, value)| !known.is_empty() && !known.contains(&value.as_str()))
        {
            let message = format!("{name} is never {value:?}");
            self.report(Problem::new(*column, message, format!("write one of {}", known.join(", "))));
        }
        Some(Test::OneOf(values.into_iter().map(|(_, value)| value).collect()))
    }

    fn values(&mut self) -> Parsed<Vec<(u32, String)>> {
        let opened = self.column();
        if !self.take('(') {
            return Ok(vec![self.value()?]);
        }
        let mut values = Vec::new();
        loop {
            self.skip();
            values.push(self.value()?);
            self.skip();
            if self.take(')') {
                return Ok(values);
            }
            if !self.take(',') {
                return Err(Problem::new(opened, "this list is never closed", "write its values as (one,other)"));
            }
        }
    }

    fn value(&mut self) -> Parsed<(u32, String)> {
        let column = self.column();
        self.values += 1;
        if self.values > MOST_VALUES {
            return Err(self.here(&format!("there are more than {MOST_VALUES} values"), "ask for less at once"));
        }
        if self.take('"') {
            return Ok((column, self.quoted(column)?));
        }
        let begun = self.at;
        while self.peek().is_some_and(|char| !ends_value(char)) {
            self.at += 1;
        }
        if begun == self.at {
            return Err(self.here("a value is missing", "write it behind the sign without a blank, or in \"quotes\""));
        }
        Ok((column, self.text[begun..self.at].iter().collect()))
    }

    fn quoted(&mut self, opened: u32) -> Parsed<String> {
        let mut value = String::new();
        loop {
            let char = self.next_char();
            match char {
                Some('"') => return Ok(value),
                Some('\\') => value.extend(self.next_char()),
                Some(char) => value.push(char),
                None => return Err(Problem::new(opened, "this quote is never closed", "write \" behind the value")),
            }
        }
    }

    fn sign(&mut self) -> Option<Sign> {
        if self.take(':') {
            return Some(Sign::Is);
        }
        // The longer ones first.
        let mut signs = Comparison::ALL;
        signs.sort_by_key(|comparison| std::cmp::Reverse(comparison.sign().len()));
        let found = signs.into_iter().find(|comparison| self.rest_begins(comparison.sign()))?;
        self.at += found.sign().len();
        Some(Sign::Compare(found))
    }

    fn report(&mut self, problem: Problem) {
        if self.problems.len() < MOST_PROBLEMS {
            self.problems.push(problem);
        }
    }

    fn here(&self, message: &str, hint: &str) -> Problem {
        Problem::new(self.column(), message, hint)
    }

    fn column(&self) -> u32 {
        self.at as u32 + 1
    }

    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn next_char(&mut self) -> Option<char> {
        let char = self.peek();
        self.at += usize::from(char.is_some());
        char
    }

    fn take(&mut self, wanted: char) -> bool {
        let is = self.peek() == Some(wanted);
        self.at += usize::from(is);
        is
    }

    fn skip(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn rest_begins(&self, word: &str) -> bool {
        word.chars().enumerate().all(|(i, char)| self.text.get(self.at + i) == Some(&char))
    }

    /// Whether a word stands here that is no field's name.
    fn is_at(&self, word: &str) -> bool {
        let behind = self.text.get(self.at + word.len()).copied();
        self.rest_begins(word) && behind.is_none_or(|char| char.is_whitespace() || matches!(char, '(' | ')' | '-'))
    }

    fn keyword(&mut self, word: &str) -> bool {
        let is = self.is_at(word);
        if is {
            self.at += word.len();
            self.skip();
        }
        is
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    Is,
    Compare(Comparison),
}

fn unknown(name: &str, column: u32) -> Problem {
    let names = || Field::ALL.iter().map(|field| field.name()).collect::<Vec<_>>().join(", ");
    let hint = Field::nearest(name)
        .map_or_else(|| format!("the fields are {}", names()), |nearest| format!("did you mean {}?", nearest.name()));
    Problem::new(column, format!("{name:?} is no field"), hint)
}
