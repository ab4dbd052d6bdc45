//! The contract of the server that is replaced: each row of its routes, statuses, headers and fields, asked of real nodes.
//! What a row means inside is tested beside the crates.
