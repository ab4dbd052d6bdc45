//! The contract of the server that is replaced: each row of its routes, statuses, headers and fields, asked of real nodes.
//! What a row means inside is tested beside the crates.

mod api;
mod elsewhere;
mod fields;
mod place;
mod row;
mod rtsp;
mod settings;
mod users;
mod whep;
mod whip;
