//! A page of a list: JSON or protobuf, which its first bytes tell.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::runtime::read_error::undecodable;
use crate::wire::{Encoded, protobuf};

/// A page of a list, items undecoded and borrowed from the body.
#[derive(Debug)]
pub struct Page<'a> {
    /// `metadata.resourceVersion`: the version of the whole list.
    pub version: String,
    /// `metadata.continue`: the token of the next page; None on the last page.
    pub next: Option<String>,
    /// The objects.
    pub items: Vec<Encoded<'a>>,
}

#[derive(Deserialize)]
struct JsonPage<'a> {
    metadata: PageMetadata,
    /// Absent or null where the page is empty.
    #[serde(borrow, default)]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageMetadata {
    #[serde(default)]
    resource_version: String,
    #[serde(default, rename = "continue")]
    next: Option<String>,
}

impl<'a> Page<'a> {
    /// Reads the body of an answer. The error says what is wrong with it, without quoting it.
    pub fn read(body: &'a [u8]) -> Result<Page<'a>, String> {
        if protobuf::is_protobuf(body) {
            let list = protobuf::list(body).map_err(|error| error.to_string())?;
            return Ok(Page {
                version: list.resource_version.to_owned(),
                next: Some(list.next.to_owned()).filter(|next| !next.is_empty()),
                items: list.items.into_iter().map(Encoded::Protobuf).collect(),
            });
        }
        let page: JsonPage<'_> = serde_json::from_slice(body).map_err(|e| undecodable(&e))?;
        let items = page.items.unwrap_or_default();
        Ok(Page {
            version: page.metadata.resource_version,
            next: page.metadata.next.filter(|next| !next.is_empty()),
            items: items.into_iter().map(Encoded::Json).collect(),
        })
    }
}
