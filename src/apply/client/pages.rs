//! A list that is read page by page.

use kube::{api::ListParams, core::Request};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Api, ApiError};
use crate::model::Version;

/// So many objects are read at a time.
const PAGE: u32 = 500;

/// A page of a list as JSON, items undecoded and borrowed from the body.
#[derive(Debug)]
pub struct JsonPage<'a> {
    /// `metadata.resourceVersion`: the version of the whole list; empty where there is none.
    pub version: String,
    /// `metadata.continue`: the token of the next page; None on the last page.
    pub next: Option<String>,
    /// The objects; none where `items` is absent or null.
    pub items: Vec<&'a RawValue>,
}

impl<'a> JsonPage<'a> {
    /// Reads the body of an answer.
    pub fn read(body: &'a [u8]) -> serde_json::Result<JsonPage<'a>> {
        #[derive(Deserialize)]
        struct List<'a> {
            metadata: Metadata,
            #[serde(borrow)]
            items: Option<Vec<&'a RawValue>>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Metadata {
            #[serde(default)]
            resource_version: String,
            #[serde(rename = "continue")]
            next: Option<String>,
        }
        let List { metadata, items } = serde_json::from_slice(body)?;
        Ok(JsonPage {
            version: metadata.resource_version,
            next: metadata.next.filter(|next| !next.is_empty()),
            items: items.unwrap_or_default(),
        })
    }
}

impl Api {
    /// Lists the objects of a collection, e.g. `/api/v1/namespaces/x/pods`, that match a label
    /// selector, and gives the items of each page to `take`. The list names no resourceVersion, so
    /// it has all that was written before the request; all pages are of the version of the first,
    /// which is returned.
    ///
    /// Fails where a page cannot be read, with [`ApiError::Transport`] where it is no list, and
    /// where `take` says why.
    pub async fn list_pages(
        &self,
        collection: &str,
        selector: &str,
        mut take: impl FnMut(Vec<&RawValue>) -> Result<(), String>,
    ) -> Result<Version, ApiError> {
        let mut continue_token = None;
        loop {
            let params = ListParams {
                label_selector: Some(selector.to_owned()),
                limit: Some(PAGE),
                continue_token: continue_token.take(),
                ..ListParams::default()
            };
            let request = Request::new(collection).list(&params);
            let request = request.map_err(|e| ApiError::Transport(e.to_string()))?;
            let answer = self.get(&request.uri().to_string()).await?;
            let page = JsonPage::read(&answer).map_err(|e| ApiError::Transport(e.to_string()))?;
            take(page.items).map_err(ApiError::Transport)?;
            continue_token = page.next;
            if continue_token.is_none() {
                return Ok(Version::parse(&page.version));
            }
        }
    }
}
