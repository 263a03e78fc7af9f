//! Field paths as the API server writes them: `spec.containers[0].image`, `metadata.labels[a/b]`.

/// The deepest field on the way to `path` that is there, beginning at `root`. `child` looks a key
/// or the number of an item up.
///
/// Keys may have dots in them, as labels do: where a part is no key, it is tried together with the
/// part that follows.
pub fn deepest<N>(root: N, path: &str, child: impl Fn(&N, &str) -> Option<N>) -> N {
    let mut at = root;
    let mut rest = path;
    loop {
        rest = rest.strip_prefix('.').unwrap_or(rest);
        let next = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((name, behind)) => {
                let name = name.trim_matches('"');
                child(&at, name).map(|found| (found, behind))
            }
            None => by_name(&at, rest, &child),
        };
        match next {
            Some((found, behind)) => (at, rest) = (found, behind),
            None => return at,
        }
    }
}

/// The field that the shortest beginning of `rest` names, and what is behind that.
fn by_name<'p, N>(
    at: &N,
    rest: &'p str,
    child: &impl Fn(&N, &str) -> Option<N>,
) -> Option<(N, &'p str)> {
    let ends = rest.match_indices(['.', '[']).map(|(end, _)| end);
    ends.chain([rest.len()])
        .filter(|end| *end > 0)
        .find_map(|end| child(at, &rest[..end]).map(|found| (found, &rest[end..])))
}
