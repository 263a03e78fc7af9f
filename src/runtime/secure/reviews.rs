//! What the API server is asked: whose token it is (TokenReview), and what they may do
//! (SubjectAccessReview). Both are created and nothing of them is stored.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::json;

use crate::apply::client::{Api, ApiError, paths};

/// Why the API server could not say it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReviewError {
    /// It refused, or did not answer.
    #[error("the {review} failed: {why}")]
    Failed {
        /// The kind of the review.
        review: &'static str,
        /// Its error.
        why: ApiError,
    },
    /// Its answer is none.
    #[error("the answer to the {review} cannot be read")]
    Unreadable {
        /// The kind of the review.
        review: &'static str,
    },
    /// There was no time to ask, because others are asked for.
    #[error("there was no time for a review")]
    Late,
}

impl ReviewError {
    /// Whether the API server refuses to be asked: a role is missing, and time does not help.
    pub fn is_refused(&self) -> bool {
        let Self::Failed { why, .. } = self else {
            return false;
        };
        matches!(why.code(), Some(401 | 403))
    }
}

/// Who it is, as the API server says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct User {
    /// `username`
    pub username: String,
    /// `uid`
    pub uid: String,
    /// `groups`
    pub groups: Vec<String>,
    /// `extra`
    pub extra: BTreeMap<String, Vec<String>>,
}

/// What may follow from a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// They may.
    Allowed,
    /// They may not. The reason may be empty.
    Denied(String),
}

/// Asks whose token it is; None where it is nobody's.
pub async fn who(api: &Api, token: &str) -> Result<Option<User>, ReviewError> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Status {
        authenticated: Option<bool>,
        user: Option<User>,
    }
    let review = "TokenReview";
    let body = json!({
        "apiVersion": "authentication.k8s.io/v1",
        "kind": review,
        "spec": {"token": token},
    });
    let answer = api.post(paths::TOKEN_REVIEWS, body.to_string()).await;
    let status: Status = read(review, answer)?;
    match (status.authenticated, status.user) {
        (Some(true), Some(user)) if !user.username.is_empty() => Ok(Some(user)),
        // A user without a name is no answer, and must not become one whom everything is allowed.
        (Some(true), _) => Err(ReviewError::Unreadable { review }),
        // `authenticated` is left out where it is false.
        (Some(false) | None, _) => Ok(None),
    }
}

/// Asks whether a user may do this to a path.
pub async fn may(api: &Api, user: &User, verb: &str, path: &str) -> Result<Judgement, ReviewError> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Status {
        allowed: bool,
        denied: bool,
        reason: String,
    }
    let review = "SubjectAccessReview";
    let body = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": review,
        "spec": {
            "user": user.username,
            "uid": user.uid,
            "groups": user.groups,
            "extra": user.extra,
            "nonResourceAttributes": {"path": path, "verb": verb},
        },
    });
    let answer = api.post(paths::ACCESS_REVIEWS, body.to_string()).await;
    let status: Status = read(review, answer)?;
    Ok(match status.allowed && !status.denied {
        true => Judgement::Allowed,
        false => Judgement::Denied(status.reason),
    })
}

fn read<S: DeserializeOwned>(
    review: &'static str,
    answer: Result<Bytes, ApiError>,
) -> Result<S, ReviewError> {
    #[derive(Deserialize)]
    struct Answer<S> {
        status: S,
    }
    let answer = answer.map_err(|why| ReviewError::Failed { review, why })?;
    let answer = serde_json::from_slice::<Answer<S>>(&answer);
    answer
        .map(|answer| answer.status)
        .map_err(|_| ReviewError::Unreadable { review })
}
