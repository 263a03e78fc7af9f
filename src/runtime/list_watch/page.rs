//! A page of a list: JSON or protobuf, which its first bytes tell.

use crate::apply::client::pages::JsonPage;
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
        let page = JsonPage::read(body).map_err(|e| undecodable(&e))?;
        Ok(Page {
            version: page.version,
            next: page.next,
            items: page.items.into_iter().map(Encoded::Json).collect(),
        })
    }
}
