//! Paths that anybody may ask for: `--authorization-always-allow-paths`.

use std::{fmt, str::FromStr};

/// A path, or with `/*` at its end all that are below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlwaysAllowed {
    path: String,
    below: bool,
}

impl AlwaysAllowed {
    /// Whether this path may be asked for by anybody.
    pub fn covers(&self, path: &str) -> bool {
        match path.strip_prefix(&*self.path) {
            Some(rest) => self.below || rest.is_empty(),
            None => false,
        }
    }
}

impl FromStr for AlwaysAllowed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (path, below) = match text.strip_suffix('*') {
            Some(path) if path.ends_with('/') => (path, true),
            _ => (text, false),
        };
        if !path.starts_with('/') || path.contains('*') {
            return Err(
                "a path like /healthz is needed, or /healthz/* for all below it".to_owned(),
            );
        }
        Ok(Self {
            path: path.to_owned(),
            below,
        })
    }
}

impl fmt::Display for AlwaysAllowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let star = if self.below { "*" } else { "" };
        write!(f, "{}{star}", self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_covers_itself_and_with_a_star_what_is_below_it() {
        for (pattern, path, covers) in [
            ("/healthz", "/healthz", true),
            ("/healthz", "/healthz/ping", false),
            ("/healthz", "/healthzz", false),
            ("/healthz", "/", false),
            ("/healthz/*", "/healthz/ping", true),
            ("/healthz/*", "/healthz", false),
            ("/*", "/metrics", true),
            ("/", "/metrics", false),
        ] {
            let allowed: AlwaysAllowed = pattern.parse().expect(pattern);
            assert_eq!(allowed.covers(path), covers, "{pattern} {path}");
            assert_eq!(allowed.to_string(), pattern);
        }
        for wrong in ["", "healthz", "*", "/heal*", "/*/ping", "/a/**"] {
            assert!(wrong.parse::<AlwaysAllowed>().is_err(), "{wrong:?}");
        }
    }
}
