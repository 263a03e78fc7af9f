//! The controller as it runs (watches, cache, queue, syncs, writes) on a scripted API server, in virtual time.

mod claims;
mod creates;
mod deletes;
mod denied;
mod left_alone;
mod lists;
mod revisions;
mod server;
mod status;
mod stop;
mod store;
mod two;
mod world;
