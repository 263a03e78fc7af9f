//! Sends requests to the API server.
