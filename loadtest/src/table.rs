//! Tables on the standard output.

use std::io::Write;

/// Lines of a name and a value, the values aligned.
#[derive(Default)]
pub(crate) struct Table(Vec<(String, String)>);

impl Table {
    /// A heading.
    pub(crate) fn head(&mut self, text: impl Into<String>) {
        self.0.push((text.into(), String::new()));
    }

    /// A line below a heading.
    pub(crate) fn line(&mut self, name: impl AsRef<str>, value: u64) {
        self.0.push((format!("  {}", name.as_ref()), value.to_string()));
    }

    /// The table as text.
    pub(crate) fn render(&self) -> String {
        let width = |text: &String| text.chars().count();
        let lines = || self.0.iter().filter(|(_, value)| !value.is_empty());
        let names = lines().map(|(name, _)| width(name)).max().unwrap_or(0);
        let values = lines().map(|(_, value)| width(value)).max().unwrap_or(0);
        let line = |(name, value): &(String, String)| match value.as_str() {
            "" => format!("{name}\n"),
            value => format!("{name:names$}  {value:>values$}\n"),
        };
        self.0.iter().map(line).collect()
    }
}

/// Prints the result. Nobody reading it any more is no failure.
pub fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_below_each_other() {
        let mut table = Table::default();
        table.head("a heading that is longer than all names");
        table.line("rows", 12_345);
        table.line("claims sent", 7);
        assert_eq!(
            table.render(),
            "a heading that is longer than all names\n  rows         12345\n  claims sent      7\n"
        );
    }
}
