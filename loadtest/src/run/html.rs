//! The report as one page that needs no network.

use super::result::RunResult;
use crate::{Failure, Result};

const PAGE: &str = include_str!("../report/page.html");

/// What the page is put together from: where it stands, and what belongs there.
const PARTS: [(&str, &str); 4] = [
    ("/*UPLOT_JS*/", include_str!("../report/vendor/uPlot.iife.min.js")),
    ("/*UPLOT_CSS*/", include_str!("../report/vendor/uPlot.min.css")),
    ("/*PAGE_JS*/", include_str!("../report/page.js")),
    ("/*PAGE_CSS*/", include_str!("../report/page.css")),
];

/// Where the result stands.
const RESULT: &str = "/*RESULT*/null";

/// JSON of which nothing ends the element that it stands in.
fn escaped(json: &str) -> String {
    json.replace('<', "\\u003c")
}

/// The page of a result.
pub fn page(result: &RunResult) -> Result<String> {
    let json = serde_json::to_string(result).map_err(|error| Failure::Usage(error.to_string()))?;
    let json = escaped(&json);
    let page = PARTS.iter().fold(PAGE.to_owned(), |page, (place, part)| page.replacen(place, part, 1));
    Ok(page.replacen(RESULT, &json, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_has_its_place_and_what_belongs_there() {
        for (place, part) in PARTS {
            assert_eq!(PAGE.matches(place).count(), 1, "{place}");
            assert!(part.len() > 100, "{place}");
        }
        assert_eq!(PAGE.matches(RESULT).count(), 1);
        // What ends a script element in the middle of it would show the rest as text.
        assert!(PARTS.iter().all(|(_, part)| !part.contains("</script")));
    }

    #[test]
    fn no_name_ends_the_element_that_it_stands_in() {
        assert_eq!(escaped(r#"{"about":"</script><b>满减"}"#), r#"{"about":"\u003c/script>\u003cb>满减"}"#);
    }
}
