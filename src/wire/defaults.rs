//! What the API server adds.
