//! Hides values of a template that may be secrets.
//!
//! Plans end up in the logs of pipelines and in bug reports. Hidden are values of environment
//! variables and of HTTP headers; annotations whose name speaks of a secret; in commands, arguments
//! and annotations the value after `password=` and the like, and passwords in URLs. A difference
//! between hidden values is listed all the same. References to Secrets are names, and stay.

use super::tree::{HIDDEN, Tree};

/// Words in a name that speak of a secret.
const WORDS: [&str; 13] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "api-key",
    "api_key",
    "accesskey",
    "access-key",
    "access_key",
    "credential",
    "authorization",
];

/// Ends of a name that speak of where a secret is, and not of itself.
const PLACES: [&str; 5] = ["file", "path", "dir", "name", "ref"];

/// Hides what may be a secret, anywhere in the value.
pub fn hide(tree: &mut Tree) {
    within("", tree);
}

/// `field` is the one that the value stands in, items of a list included.
fn within(field: &str, tree: &mut Tree) {
    match tree {
        Tree::Map(object) => {
            for (key, value) in object {
                match (field, &**key) {
                    ("env" | "httpHeaders", "value") => value.hide(HIDDEN),
                    ("annotations", key) if speaks_of_secret(key) => value.hide(HIDDEN),
                    ("annotations", _) => hide_parts(value),
                    (_, key) => within(key, value),
                }
            }
        }
        Tree::List(items) if matches!(field, "command" | "args") => {
            let mut value_follows = false;
            for item in items {
                let text = item.text().unwrap_or_default();
                let is_flag = text.starts_with('-');
                if value_follows && !is_flag {
                    item.hide(HIDDEN);
                } else {
                    hide_parts(item);
                }
                value_follows = is_flag && !text.contains('=') && speaks_of_secret(&text);
            }
        }
        Tree::List(items) => items.iter_mut().for_each(|item| within(field, item)),
        Tree::Leaf(_) => {}
    }
}

fn speaks_of_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    WORDS.iter().any(|word| name.contains(word)) && !PLACES.iter().any(|end| name.ends_with(end))
}

/// Hides values of assignments and headers in a string, and passwords in URLs.
fn hide_parts(leaf: &mut Tree) {
    if let Some(text) = leaf.text()
        && let Some(shown) = without_secrets(&text)
    {
        leaf.hide(&shown);
    }
}

/// The text without what may be a secret; None where nothing may.
fn without_secrets(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut hidden = false;
    while !rest.is_empty() {
        let end = rest.find(is_between).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        // `--token=x`, `TOKEN=x`, `Authorization: Bearer x`.
        let header = after.starts_with(' ') && word.ends_with(':') && speaks_of_secret(word);
        if let Some((name, value)) = word.split_once('=')
            && !value.is_empty()
            && speaks_of_secret(name)
        {
            hidden = true;
            out.push_str(&format!("{name}={HIDDEN}"));
            rest = after;
        } else if let Some((name, _)) = word.split_once('=')
            && word.ends_with('=')
            && after.starts_with(['"', '\''])
            && speaks_of_secret(name)
        {
            // `TOKEN="x y"`: up to the quote that ends it.
            hidden = true;
            let quote = &after[..1];
            let value = after[1..].split(quote).next().unwrap_or_default();
            out.push_str(&format!("{word}{quote}{HIDDEN}"));
            rest = &after[1 + value.len()..];
        } else if header {
            hidden = true;
            out.push_str(&format!("{word} {HIDDEN}"));
            let line = after.find(['"', '\'', '\n']).unwrap_or(after.len());
            rest = &after[line..];
        } else {
            match without_password(word) {
                Some(shown) => {
                    hidden = true;
                    out.push_str(&shown);
                }
                None => out.push_str(word),
            }
            rest = after;
        }
        // The characters between two words are no part of a secret. There is at least one, so the
        // loop ends.
        let between = rest.find(|c| !is_between(c)).unwrap_or(rest.len());
        out.push_str(&rest[..between]);
        rest = &rest[between..];
    }
    hidden.then_some(out)
}

fn is_between(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '\'' | ';' | '&' | '|' | '`')
}

/// `https://user:password@host` without the password.
fn without_password(word: &str) -> Option<String> {
    let (scheme, rest) = word.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (user_info, _) = authority.rsplit_once('@')?;
    let (user, password) = user_info.split_once(':')?;
    let after = &rest[user_info.len()..];
    (!password.is_empty()).then(|| format!("{scheme}://{user}:{HIDDEN}{after}"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::cli::plan::diff::tree::Tree;

    fn hidden(value: Value) -> Value {
        let json = serde_json::value::to_raw_value(&value).unwrap();
        let mut tree = Tree::read(&json).unwrap();
        hide(&mut tree);
        serde_json::from_str(tree.to_json().get()).unwrap()
    }

    #[test]
    fn values_of_variables_and_headers_are_hidden_and_names_and_references_are_not() {
        let containers = json!([{
            "name": "a",
            "env": [
                {"name": "LEVEL", "value": "info"},
                {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "agent", "key": "token"}}},
            ],
            "livenessProbe": {"httpGet": {"httpHeaders": [{"name": "X", "value": "y"}]}},
            "volumeMounts": [{"name": "token", "mountPath": "/token"}],
        }]);
        let shown = hidden(json!({"spec": {"containers": containers}}));
        let expected = json!({"spec": {"containers": [{
            "name": "a",
            "env": [
                {"name": "LEVEL", "value": HIDDEN},
                {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "agent", "key": "token"}}},
            ],
            "livenessProbe": {"httpGet": {"httpHeaders": [{"name": "X", "value": HIDDEN}]}},
            "volumeMounts": [{"name": "token", "mountPath": "/token"}],
        }]}});
        assert_eq!(shown, expected);
    }

    #[test]
    fn what_arguments_and_annotations_hold_of_secrets_is_hidden() {
        let args = json!([
            "--level=info",
            "--token=abc",
            "--password",
            "abc",
            "--token-file=/var/run/token",
            "--api-key",
            "--v",
            "export DB_PASSWORD='a b'; run --to=https://u:p@host/x -H \"Authorization: Bearer x\" && echo a=b",
        ]);
        let shown = hidden(json!({"args": args}));
        let expected = json!([
            "--level=info",
            "--token=<hidden>",
            "--password",
            HIDDEN,
            "--token-file=/var/run/token",
            "--api-key",
            "--v",
            "export DB_PASSWORD='<hidden>'; run --to=https://u:<hidden>@host/x -H \"Authorization: <hidden>\" && echo a=b",
        ]);
        assert_eq!(shown["args"], expected);
        let annotations = json!({"example.com/api-key": "abc", "note": "password=abc", "prometheus.io/port": "80"});
        assert_eq!(
            hidden(json!({"annotations": annotations}))["annotations"],
            json!({"example.com/api-key": HIDDEN, "note": "password=<hidden>", "prometheus.io/port": "80"})
        );
    }
}
