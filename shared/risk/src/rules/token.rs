//! Text into tokens, each with its place.

use super::problem::{Place, Problem, code};

/// A piece of a rule set's text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A word: a keyword, a feature's name, a key.
    Word(String),
    /// A number; with a unit of time in seconds, with a unit of money in minor units, as it was written.
    Number(f64),
    /// A duration, seconds.
    Duration(u32),
    /// A text between double quotes.
    Text(String),
    /// A sign, such as `>=`.
    Sign(&'static str),
    /// Behind the last one.
    End,
}

impl Token {
    /// As it is named in a problem's message.
    pub(super) fn said(&self) -> String {
        match self {
            Self::Word(word) => format!("`{word}`"),
            Self::Number(number) => format!("`{number}`"),
            Self::Duration(seconds) => format!("a duration of {seconds} s"),
            Self::Text(text) => format!("the text \"{text}\""),
            Self::Sign(sign) => format!("`{sign}`"),
            Self::End => "the end of the text".to_owned(),
        }
    }
}

/// A token where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Placed {
    pub(super) token: Token,
    pub(super) place: Place,
}

/// Longest first, so that `>=` is not read as `>`.
const SIGNS: [&str; 16] = ["==", "!=", ">=", "<=", "{", "}", "(", ")", "[", "]", ",", ">", "<", "+", "-", "*"];
/// Units of time, seconds.
const UNITS: [(&str, u32); 4] = [("m", 60), ("h", 3_600), ("d", 86_400), ("s", 1)];

struct Reader<'a> {
    rest: &'a str,
    place: Place,
}

/// All tokens of a text, the end among them.
pub(super) fn tokens(text: &str) -> Result<Vec<Placed>, Problem> {
    let mut reader = Reader { rest: text, place: Place { line: 1, column: 1 } };
    let mut tokens = Vec::new();
    loop {
        reader.skip();
        let place = reader.place;
        let token = reader.next()?;
        let end = token == Token::End;
        tokens.push(Placed { token, place });
        if end {
            return Ok(tokens);
        }
    }
}

impl Reader<'_> {
    /// Goes on by so many bytes. Columns count characters, as editors do.
    fn advance(&mut self, bytes: usize) {
        for character in self.rest[..bytes].chars() {
            if character == '\n' {
                self.place = Place { line: self.place.line + 1, column: 1 };
            } else {
                self.place.column += 1;
            }
        }
        self.rest = &self.rest[bytes..];
    }

    /// White space, and comments from `#` to the end of the line.
    fn skip(&mut self) {
        loop {
            let space = self.rest.len() - self.rest.trim_start().len();
            let comment = self.rest[space..].starts_with('#');
            let line = if comment { self.rest[space..].find('\n').unwrap_or(self.rest.len() - space) } else { 0 };
            self.advance(space + line);
            if space + line == 0 {
                return;
            }
        }
    }

    fn next(&mut self) -> Result<Token, Problem> {
        let Some(first) = self.rest.chars().next() else { return Ok(Token::End) };
        if first.is_ascii_digit() {
            return self.number();
        }
        if first == '"' {
            return self.text();
        }
        if first == '/' {
            self.advance(1);
            return Ok(Token::Sign("/"));
        }
        if let Some(sign) = SIGNS.into_iter().find(|sign| self.rest.starts_with(sign)) {
            self.advance(sign.len());
            return Ok(Token::Sign(sign));
        }
        let length = self.rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(self.rest.len());
        if length == 0 {
            let hint = "rules consist of words, numbers, texts in double quotes and signs such as > and (";
            return Err(Problem::new(self.place, code::SYNTAX, format!("`{first}` means nothing here"), hint));
        }
        let word = self.rest[..length].to_owned();
        self.advance(length);
        Ok(Token::Word(word))
    }

    fn number(&mut self) -> Result<Token, Problem> {
        let place = self.place;
        let length =
            self.rest.find(|c: char| !(c.is_alphanumeric() || c == '.' || c == '_')).unwrap_or(self.rest.len());
        let written = self.rest[..length].replace('_', "");
        self.advance(length);
        let wrong = || {
            let hint = "a number is 3 or 0.25; a duration is 90s, 10m, 24h or 7d";
            Problem::new(place, code::SYNTAX, format!("`{written}` is no number and no duration"), hint)
        };
        if let Ok(number) = written.parse::<f64>()
            && number.is_finite()
            && written.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        {
            return Ok(Token::Number(number));
        }
        let (unit, factor) = UNITS.into_iter().find(|(unit, _)| written.ends_with(unit)).ok_or_else(wrong)?;
        let count: u32 = written[..written.len() - unit.len()].parse().map_err(|_| wrong())?;
        count.checked_mul(factor).map(Token::Duration).ok_or_else(wrong)
    }

    /// Without escapes: nothing that a reason says needs them.
    fn text(&mut self) -> Result<Token, Problem> {
        let place = self.place;
        let inner = &self.rest[1..];
        let Some(length) = inner.find(['"', '\n']).filter(|end| inner[*end..].starts_with('"')) else {
            let hint = "close it with \" on the same line";
            return Err(Problem::new(place, code::SYNTAX, "the text has no end".to_owned(), hint));
        };
        let text = inner[..length].to_owned();
        self.advance(length + 2);
        Ok(Token::Text(text))
    }
}
