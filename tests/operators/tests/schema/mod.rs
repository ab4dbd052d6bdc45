//! The OpenAPI file against running nodes, by a tool that makes requests from it.
//! Whether the file is fresh is tested where it is made.
