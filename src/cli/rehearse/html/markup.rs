//! Text and tables as HTML. Names, messages and notes come from a cluster, so nobody vouches for
//! them: all of them get into the page as [`Text`].

use std::fmt::{self, Display, Write};

use super::super::text::after;

/// Text that stays text, between tags and in a quoted attribute.
pub struct Text<'a>(pub &'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// A time in seconds since the beginning, as a link that moves the slider there.
pub struct At(pub u64);

impl Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let At(seconds) = self;
        write!(f, "<a href=\"#t={seconds}\">{}</a>", after(*seconds))
    }
}

/// What is in a cell of a table.
pub enum Cell<'a> {
    /// Text.
    Text(&'a str),
    /// A length of time, in seconds.
    Length(u64),
    /// A time since the beginning, in seconds.
    At(u64),
    /// A number.
    Number(usize),
}

impl Display for Cell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cell::Text(text) => write!(f, "<td>{}</td>", Text(text)),
            Cell::Length(seconds) => write!(f, "<td class=\"number\">{}</td>", after(*seconds)),
            Cell::At(seconds) => write!(f, "<td class=\"number\">{}</td>", At(*seconds)),
            Cell::Number(number) => write!(f, "<td class=\"number\">{number}</td>"),
        }
    }
}

/// A section with a table; nothing where it has no rows.
pub fn table<'a, const N: usize>(
    id: &str,
    title: &str,
    heading: [&str; N],
    rows: impl IntoIterator<Item = [Cell<'a>; N]>,
) -> String {
    let mut body = String::new();
    for row in rows {
        body.push_str("<tr>");
        for cell in row {
            let _ = write!(body, "{cell}");
        }
        body.push_str("</tr>\n");
    }
    if body.is_empty() {
        return body;
    }
    let heading = heading.map(|name| format!("<th scope=\"col\">{name}</th>"));
    let heading = heading.concat();
    section(
        id,
        title,
        &format!(
            "<div class=\"wide\"><table>\n<thead><tr>{heading}</tr></thead>\n<tbody>\n{body}</tbody>\n</table></div>\n"
        ),
    )
}

/// A list of what is HTML already; nothing where it is empty.
pub fn list(id: &str, title: &str, items: impl IntoIterator<Item = String>) -> String {
    let mut body = String::new();
    for item in items {
        let _ = writeln!(body, "<li>{item}</li>");
    }
    if body.is_empty() {
        return body;
    }
    section(id, title, &format!("<ul>\n{body}</ul>\n"))
}

fn section(id: &str, title: &str, body: &str) -> String {
    format!(
        "<section id=\"{id}\" aria-labelledby=\"{id}-title\">\n<h2 id=\"{id}-title\">{title}</h2>\n{body}</section>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        assert_eq!(
            Text("<img src=x onerror='a(\"&\")'>").to_string(),
            "&lt;img src=x onerror=&#39;a(&quot;&amp;&quot;)&#39;&gt;"
        );
    }

    #[test]
    fn a_table_without_rows_is_left_out() {
        assert_eq!(table("stages", "Stages", ["Begins"], []), "");
        let one = table(
            "stages",
            "Stages",
            ["Begins", "<"],
            [[Cell::At(90), Cell::Text("<")]],
        );
        assert!(one.contains("<a href=\"#t=90\">1m30s</a>"), "{one}");
        assert!(one.contains("<td>&lt;</td>"), "{one}");
    }
}
