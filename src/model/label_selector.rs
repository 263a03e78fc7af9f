//! Label selectors as text: `a=b,c in (d,e),!f`, in kubectl's grammar and with the API server's
//! words.
//!
//! [`Selector`](super::Selector) is another thing: compiled from `matchLabels` and
//! `matchExpressions`, which have operators in place of a grammar.

use std::collections::BTreeSet;

/// A parsed selector, all of whose requirements must hold. Without requirements it selects
/// everything.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct LabelSelector(Vec<Requirement>);

#[derive(Clone, PartialEq, Eq, Debug)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Test {
    Exists,
    DoesNotExist,
    In(BTreeSet<String>),
    NotIn(BTreeSet<String>),
    Above(i64),
    Below(i64),
}

impl LabelSelector {
    /// Parses a text. The error has the API server's words.
    pub fn parse(text: &str) -> Result<LabelSelector, String> {
        let mut parser = Parser {
            tokens: tokens(text),
            at: 0,
        };
        parser.all().map(LabelSelector)
    }

    /// Whether labels match. `value` gives that of a key, where there is one.
    pub fn matches<'a>(&self, value: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.0.iter().all(|requirement| {
            let value = value(&requirement.key);
            let number = || value.and_then(|v| v.parse::<i64>().ok());
            match &requirement.test {
                Test::Exists => value.is_some(),
                Test::DoesNotExist => value.is_none(),
                Test::In(values) => value.is_some_and(|v| values.contains(v)),
                Test::NotIn(values) => value.is_none_or(|v| !values.contains(v)),
                Test::Above(than) => number().is_some_and(|n| n > *than),
                Test::Below(than) => number().is_some_and(|n| n < *than),
            }
        })
    }
}

/// The tokens of the text: symbols and words, and an empty one at the end. Every character but
/// symbols and white space is part of a word.
fn tokens(text: &str) -> Vec<&str> {
    const SYMBOLS: [char; 7] = ['=', '!', '(', ')', ',', '>', '<'];
    const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];
    let mut tokens = Vec::new();
    let mut rest = text.trim_start_matches(SPACE);
    while !rest.is_empty() {
        let length = if rest.starts_with("==") || rest.starts_with("!=") {
            2
        } else if rest.starts_with(SYMBOLS) {
            1
        } else {
            let end = rest.find(|c| SYMBOLS.contains(&c) || SPACE.contains(&c));
            end.unwrap_or(rest.len())
        };
        let (token, after) = rest.split_at(length);
        tokens.push(token);
        rest = after.trim_start_matches(SPACE);
    }
    tokens
}

fn is_word(token: &str) -> bool {
    !token.is_empty() && !token.starts_with(['=', '!', '(', ')', ',', '>', '<'])
}

struct Parser<'a> {
    tokens: Vec<&'a str>,
    at: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> &'a str {
        self.tokens.get(self.at).copied().unwrap_or_default()
    }

    fn next(&mut self) -> &'a str {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn all(&mut self) -> Result<Vec<Requirement>, String> {
        let begins = |token: &str| is_word(token) || token == "!";
        let mut all = Vec::new();
        match self.peek() {
            "" => return Ok(all),
            token if !begins(token) => {
                let expected = "!, identifier, or 'end of string'";
                return Err(format!("found '{token}', expected: {expected}"));
            }
            _ => {}
        }
        loop {
            let one = self.requirement();
            all.push(one.map_err(|why| format!("unable to parse requirement: {why}"))?);
            match self.next() {
                "" => return Ok(all),
                "," => {}
                other => {
                    return Err(format!("found '{other}', expected: ',' or 'end of string'"));
                }
            }
            let token = self.peek();
            if !begins(token) {
                return Err(format!("found '{token}', expected: identifier after ','"));
            }
        }
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let mut key = self.next();
        let absent = key == "!";
        if absent {
            key = self.next();
        }
        if !is_word(key) {
            return Err(format!("found '{key}', expected: identifier"));
        }
        check_key(key)?;
        let with = |test| {
            let key = key.to_owned();
            Ok(Requirement { key, test })
        };
        if absent {
            // The caller checks what follows a complete requirement.
            return with(Test::DoesNotExist);
        }
        if matches!(self.peek(), "" | ",") {
            return with(Test::Exists);
        }
        let operator = self.next();
        let values = match operator {
            "in" | "notin" => self.values()?,
            "=" | "==" | "!=" | ">" | "<" => BTreeSet::from([self.value()?]),
            other => {
                let expected = "in, notin, =, ==, !=, gt, lt";
                return Err(format!("found '{other}', expected: {expected}"));
            }
        };
        let bound = check_values(key, operator, &values)?;
        with(match operator {
            "in" | "=" | "==" => Test::In(values),
            "notin" | "!=" => Test::NotIn(values),
            ">" => Test::Above(bound),
            _ => Test::Below(bound),
        })
    }

    /// The value after `=`, `==` and `!=`: one word, or the empty text.
    fn value(&mut self) -> Result<String, String> {
        match self.peek() {
            "" | "," => Ok(String::new()),
            token if is_word(token) => Ok(self.next().to_owned()),
            token => Err(format!("found '{token}', expected: identifier")),
        }
    }

    /// The values after `in` and `notin`: words in parentheses. A missing word is the empty text.
    fn values(&mut self) -> Result<BTreeSet<String>, String> {
        let mut values = BTreeSet::new();
        match self.next() {
            "(" => {}
            other => return Err(format!("found '{other}' expected: '('")),
        }
        match self.peek() {
            ")" => {
                self.at += 1;
                return Ok(BTreeSet::from([String::new()]));
            }
            "," => {}
            token if is_word(token) => {}
            token => return Err(format!("found '{token}', expected: ',', ')' or identifier")),
        }
        loop {
            match self.next() {
                "," => {
                    if values.is_empty() || matches!(self.peek(), "," | ")") {
                        values.insert(String::new());
                    }
                    if self.peek() == ")" {
                        break;
                    }
                }
                word if is_word(word) => {
                    values.insert(word.to_owned());
                    match self.peek() {
                        "," => {}
                        ")" => break,
                        token => return Err(format!("found '{token}', expected: ',' or ')'")),
                    }
                }
                token => return Err(format!("found '{token}', expected: ',', or identifier")),
            }
        }
        self.at += 1;
        Ok(values)
    }
}

const LABEL: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";

fn check_key(key: &str) -> Result<(), String> {
    let name_rule = format!(
        "{LABEL} (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
    );
    let mut wrong = Vec::new();
    let (prefix, name) = match key.split_once('/') {
        None => (None, key),
        Some((_, rest)) if rest.contains('/') => {
            let optional =
                "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
            let rule = format!("a valid label key {name_rule} {optional}");
            return Err(invalid("<nil>", key, &rule));
        }
        Some((prefix, name)) => (Some(prefix), name),
    };
    if prefix == Some("") {
        wrong.push("prefix part must be non-empty".to_owned());
    } else if let Some(prefix) = prefix {
        if prefix.len() > 253 {
            wrong.push("prefix part must be no more than 253 bytes".to_owned());
        }
        if !prefix.split('.').all(is_dns_label) {
            wrong.push("prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')".to_owned());
        }
    }
    if name.is_empty() {
        wrong.push("name part must be non-empty".to_owned());
    } else if name.len() > 63 {
        wrong.push("name part must be no more than 63 bytes".to_owned());
    }
    if !is_label_text(name) {
        wrong.push(format!("name part {name_rule}"));
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(invalid("<nil>", key, &wrong.join("; ")))
}

/// Whether the text is a label key, with or without a prefix.
pub fn is_label_key(text: &str) -> bool {
    check_key(text).is_ok()
}

/// Whether the text is a label value.
pub fn is_label_value(text: &str) -> bool {
    text.is_empty() || text.len() <= 63 && is_label_text(text)
}

/// Checks the values of a requirement. Returns the bound, for operators with one.
fn check_values(key: &str, operator: &str, values: &BTreeSet<String>) -> Result<i64, String> {
    let mut errors = Vec::new();
    let mut bound = 0;
    for value in values.iter().filter(|_| matches!(operator, ">" | "<")) {
        match value.parse() {
            Ok(number) => bound = number,
            Err(_) => errors.push(invalid(
                "values[0]",
                value,
                "for 'Gt', 'Lt' operators, the value must be an integer",
            )),
        }
    }
    for (at, value) in values.iter().enumerate() {
        let mut wrong = Vec::new();
        if value.len() > 63 {
            wrong.push("must be no more than 63 bytes".to_owned());
        }
        if !(value.is_empty() || is_label_text(value)) {
            wrong.push(format!("a valid label must be an empty string or {} (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')", &LABEL["must ".len()..]));
        }
        if !wrong.is_empty() {
            let field = format!("values[{at}][{key}]");
            errors.push(invalid(&field, value, &wrong.join("; ")));
        }
    }
    match &errors[..] {
        [] => Ok(bound),
        [one] => Err(one.clone()),
        many => Err(format!("[{}]", many.join(", "))),
    }
}

fn invalid(field: &str, value: &str, detail: &str) -> String {
    format!("{field}: Invalid value: {value:?}: {detail}")
}

/// Whether it is alphanumeric at both ends, and has only permitted characters between.
fn is_label_text(text: &str) -> bool {
    let ends = |c: Option<&u8>| c.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    let inside = |b: &u8| b.is_ascii_alphanumeric() || b"-_.".contains(b);
    ends(bytes.first()) && ends(bytes.last()) && bytes.iter().all(inside)
}

fn is_dns_label(text: &str) -> bool {
    is_label_text(text)
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}
