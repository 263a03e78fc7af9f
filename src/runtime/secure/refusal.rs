//! What is answered to who may not ask, in the form of Kubernetes' components: a `Status`.

use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{CONTENT_TYPE, WWW_AUTHENTICATE},
};
use http_body_util::Full;
use serde_json::json;

/// Why a request gets no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It has no token, or one that is nobody's.
    Unauthorized,
    /// It is known whose token it is, and they may not ask for that.
    Forbidden {
        /// The name of the user.
        user: String,
        /// The method, in the words of RBAC.
        verb: String,
        /// The path.
        path: String,
        /// What the API server says of it; may be empty.
        reason: String,
    },
    /// The API server did not say who it is or what they may.
    Unknown {
        /// It does not let itself be asked, and time does not help.
        refused: bool,
    },
}

impl Refusal {
    /// The answer. Why the API server could not be asked is in the log only, because it is nobody
    /// who asks.
    pub fn response(&self) -> Response<Full<Bytes>> {
        let (code, reason, message) = match self {
            Self::Unauthorized => (401, "Unauthorized", "Unauthorized".to_owned()),
            Self::Forbidden {
                user,
                verb,
                path,
                reason,
            } => {
                let because = if reason.is_empty() { "" } else { ": " };
                let message = format!(
                    "forbidden: User \"{user}\" cannot {verb} path \"{path}\"{because}{reason}"
                );
                (403, "Forbidden", message)
            }
            Self::Unknown { refused: true } => (
                500,
                "InternalError",
                "the API server does not let this controller ask who may do that; its log says why"
                    .to_owned(),
            ),
            Self::Unknown { refused: false } => (
                503,
                "ServiceUnavailable",
                "the API server could not be asked who may do that; try again".to_owned(),
            ),
        };
        let status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            "code": code,
        });
        let mut response = Response::new(Full::new(Bytes::from(format!("{status}\n"))));
        *response.status_mut() =
            StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/json");
        headers.insert(CONTENT_TYPE, json);
        if *self == Self::Unauthorized {
            let scheme = HeaderValue::from_static("Bearer");
            headers.insert(WWW_AUTHENTICATE, scheme);
        }
        response
    }
}
